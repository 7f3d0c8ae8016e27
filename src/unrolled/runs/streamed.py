"""Predictions for data of any size, piece by piece: memory does not grow with the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from unrolled.runs.pieces import Once, pieces_of
from unrolled.runs.predicting import MARK
from unrolled.runs.trained import Trained

__all__ = ["concrete", "predicted"]


def predicted(
    trained: Trained, data: Any, *, beam: int | None = None, fitted: bool = False, device: str = "auto"
) -> Iterator[pa.Table]:
    """The table of `Trained.predict` in pieces, in order, all with the same columns and types.

    Where rows are steps of sequences, and of formats that are not read in blocks, only the answers come in pieces.

    Args:
        trained: the model.
        data, beam, fitted, device: as for `Trained.predict`.

    Raises:
        DataError, UsageError: as in `Trained.predict`.
    """
    schema: pa.Schema | None = None
    once = Once()
    for piece in pieces_of(data, trained.config.data, trained.task):
        with once.said(piece):
            table = trained.predict(piece, beam=beam, fitted=fitted, device=device)
        schema = concrete(table.schema) if schema is None else schema
        yield table.cast(schema)


def concrete(schema: pa.Schema) -> pa.Schema:
    """``schema`` with numbers where no answer of the first piece shows its type: only they can be absent so long."""
    fields = [field.with_type(_known(field.type)) if MARK in (field.metadata or {}) else field for field in schema]
    return pa.schema(fields, schema.metadata)


def _known(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return pa.float64()
    return pa.list_(_known(kind.value_type)) if pa.types.is_list(kind) else kind
