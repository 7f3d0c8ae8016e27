"""The labels in the cells of a column."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import Cells, Fail, is_text
from unrolled.data.encodings.facets import Label
from unrolled.data.io.number_types import is_number
from unrolled.errors import DataError

__all__ = ["as_text", "distinct", "find_number", "has_labels", "not_finite"]


def distinct(cells: Cells) -> list[Label]:
    """The distinct labels of a column, without empty cells.

    Raises:
        DataError: the column's type cannot hold labels.
    """
    kind = cells.flat.type
    if not (has_labels(kind) or pa.types.is_null(kind)):
        raise DataError(
            f"holds {kind}, which cannot be labels",
            file=cells.where.file,
            column=cells.where.column,
            hint="choose another kind, or leave the column out",
        )
    return [label for label in pc.unique(cells.flat).to_pylist() if label is not None]


def has_labels(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type can be labels."""
    numeric = pa.types.is_boolean(kind) or is_number(kind)
    return bool(numeric or is_text(kind))


def find_number(cells: Cells, label: float) -> int:
    """The place of the first cell that is ``label``, which may be NaN."""
    values = cells.flat.to_numpy()
    same = np.isnan(values) & pc.is_valid(cells.flat).to_numpy() if math.isnan(label) else values == label
    return int(np.argmax(same))


def not_finite(value: float, fail: Fail, index: int) -> DataError:
    """The error about a label that is NaN or infinite."""
    name = "NaN" if math.isnan(value) else "infinite"
    return fail(index, f"the label is {name}", "correct it, or leave the cell empty")


def as_text(label: Label) -> str:
    """A label as a CSV file has it."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
