"""An Arrow column opened for NumPy: its values end to end, where each row begins, and how errors name a place in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.base import Where, has_time
from unrolled.errors import DataError

__all__ = [
    "Cells",
    "Fail",
    "floats",
    "is_text",
    "live",
    "open_cells",
    "parse_float",
    "plain",
    "smallest_dtype",
]

Fail = Callable[[int, str, str | None], DataError]
"""From the index of a value, a message and a hint: the error that names the value's place."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column's values.

    Attributes:
        flat: one value per row, or without ``offsets`` the values of all list cells end to end.
        offsets: (rows + 1,) int64 where each row begins in ``flat``; ``None`` where a cell is one value.
        where: how errors name the column.
    """

    flat: pa.ChunkedArray
    offsets: np.ndarray | None
    where: Where

    def error(self, index: int, message: str, hint: str | None = None) -> DataError:
        """The error to raise about ``flat[index]``: it names file, row, column and step."""
        row = index
        if self.offsets is not None:
            row = int(np.searchsorted(self.offsets, index, side="right")) - 1
            message = f"step {index - int(self.offsets[row]) + self.where.skipped + 1}: {message}"
        return DataError(message, file=self.where.file, row=self.where.row(row), column=self.where.column, hint=hint)


def live(where: Where) -> Fail:
    """How errors name the place of a value that was pushed alone: by its column."""
    return lambda _, message, hint: DataError(message, file=where.file, column=where.column, hint=hint)


def is_text(kind: pa.DataType) -> bool:
    """Whether a cell of this Arrow type is a text of any form."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values without dictionaries and views, which few functions of Arrow take; shared if there are none."""
    wanted = _plain_type(array.type)
    return array if wanted == array.type else array.cast(wanted)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if has_time(kind) and (value := _plain_type(kind.value_type)) != kind.value_type:
        return pa.list_(value, kind.list_size) if pa.types.is_fixed_size_list(kind) else pa.large_list(value)
    return kind


def open_cells(array: pa.ChunkedArray, where: Where, time: bool) -> Cells:
    """Open ``array``, whose cells must be lists if ``time``, else single values. A null list has no steps.

    Raises:
        DataError: the cells are of the other form.
    """
    array = plain(array)
    if pa.types.is_null(array.type):  # no value at all fits either form
        if not time:
            return Cells(array, None, where)
        return Cells(array.slice(0, 0), np.zeros(len(array) + 1, np.int64), where)
    if has_time(array.type) != time:
        wanted = "a list in each row" if time else "one value in each row"
        raise DataError(f"expected {wanted}, found {array.type}", file=where.file, column=where.column)
    if not time:
        return Cells(array, None, where)
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths.to_numpy(), out=offsets[1:])
    return Cells(pc.list_flatten(array), offsets, where)


def floats(flat: pa.ChunkedArray, where: Where, fail: Fail) -> tuple[np.ndarray, np.ndarray]:
    """The values as float64 (N,), and (N,) bool: True where a cell is null (its value is then NaN).

    Raises:
        DataError: a text is not a number, or the column holds something else.
    """
    try:
        numbers = pc.cast(flat, pa.float64(), safe=False)
    except pa.ArrowInvalid:
        raise _not_a_number(flat, fail) from None
    except pa.ArrowNotImplementedError:
        message, hint = f"holds {flat.type}, which is not a number", "name another kind for it, or leave it out"
        raise DataError(message, file=where.file, column=where.column, hint=hint) from None
    return numbers.to_numpy(), pc.is_null(flat).to_numpy()


def _not_a_number(flat: pa.ChunkedArray, fail: Fail) -> DataError:
    for text in pc.unique(flat).to_pylist():
        try:
            pa.scalar(text, flat.type).cast(pa.float64())
        except pa.ArrowInvalid:
            index = pc.index(flat, pa.scalar(text, flat.type)).as_py()
            return fail(index, f"{text[:40]!r} is not a number", "correct it, or call the column a category")
    raise AssertionError("a cast failed, though each value can be cast")


def parse_float(value: object, where: Where) -> float | None:
    """One live value as a float; ``None`` where it is missing (None, or an empty text).

    Raises:
        DataError: it is not a number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str | int | float | np.number | np.bool_):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise DataError(f"{str(value)[:40]!r} is not a number", file=where.file, column=where.column)


def smallest_dtype(size: int) -> np.dtype[np.unsignedinteger]:
    """The narrowest unsigned integers that hold [0, size): a column of bytes or characters takes one byte a step."""
    return np.min_scalar_type(max(size - 1, 0))
