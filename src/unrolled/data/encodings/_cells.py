"""An Arrow column opened for NumPy: its values end to end, the row offsets, and errors that name a value's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.encoding import Where, has_time
from unrolled.data.io.blobs import is_binary
from unrolled.data.io.number_forms import MISSING_WORDS, number_in
from unrolled.errors import DataError, named

__all__ = [
    "Cells",
    "Fail",
    "floats",
    "is_text",
    "live",
    "open_cells",
    "parse_float",
    "plain",
    "plain_numbers",
    "smallest_dtype",
]

_LARGE = 1 << 1000  # whole numbers below it are floats

Fail = Callable[[int, str, str | None], DataError]
"""Makes the error about a value, from its index, a message and a hint; the error names the value's place."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column's values.

    Attributes:
        flat: the values of all list cells end to end; one value per row if ``offsets`` is ``None``.
        offsets: (rows + 1,) int64, where each row starts in ``flat``; ``None`` if each cell is one value.
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
    """Errors about a value that was pushed to a stream: they name only its column."""
    return lambda _, message, hint: DataError(message, file=where.file, column=where.column, hint=hint)


def is_text(kind: pa.DataType) -> bool:
    """Whether this Arrow type is any of the string types."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values without dictionaries and views, which few Arrow functions accept; not copied if it has none.

    Bytes stay in their dictionary: they are the contents of files, and each cell would copy its file.
    """
    wanted = _plain_type(array.type)
    return array if wanted == array.type else array.cast(wanted)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind if is_binary(kind) else _plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if has_time(kind) and (value := _plain_type(kind.value_type)) != kind.value_type:
        return pa.list_(value, kind.list_size) if pa.types.is_fixed_size_list(kind) else pa.large_list(value)
    return kind


def open_cells(array: pa.ChunkedArray, where: Where, time: bool) -> Cells:
    """Open ``array``. Its cells must be lists if ``time``, else single values. A null list has no steps.

    Raises:
        DataError: the cells are single values where lists are expected, or the reverse.
    """
    array = plain(array)
    if pa.types.is_null(array.type):  # an empty column fits either form
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
        DataError: a text is not a number, or the column's type has no numbers.
    """
    try:
        numbers = pc.cast(flat, pa.float64(), safe=False)
    except pa.ArrowInvalid:
        raise _not_a_number(flat, fail) from None
    except pa.ArrowNotImplementedError:
        message, hint = (
            f"holds {flat.type}, which is not a number",
            "choose another kind, or leave the column out",
        )
        raise DataError(message, file=where.file, column=where.column, hint=hint) from None
    return numbers.to_numpy(), pc.is_null(flat).to_numpy()


def _not_a_number(flat: pa.ChunkedArray, fail: Fail) -> DataError:
    for text in pc.unique(flat).to_pylist():
        try:
            pa.scalar(text, flat.type).cast(pa.float64())
        except pa.ArrowInvalid:
            index = pc.index(flat, pa.scalar(text, flat.type)).as_py()
            hint = f"correct it, or make the column a category with {named('kinds')}"
            return fail(
                index,
                f"{text[:40]!r} is not a number",
                hint,
            )
    raise AssertionError("a cast failed, though each value can be cast")


def parse_float(value: object, where: Where) -> float | None:
    """One streamed value as a float; ``None`` if it is missing: ``None``, an empty text, or a word such as ``?``.

    A text may be written as in a file: ``10,5`` or ``$1,234.50``.

    Raises:
        DataError: it is not a number, or can be read as two.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS):
        return None
    if isinstance(value, str | int | float | np.number | np.bool_):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    if isinstance(value, str):
        number = number_in(value, None)
        if number is not None:
            return number
        if number_in(value, ".") is not None:
            message = f"{value[:40]!r} can be read in two ways"
            raise DataError(
                message, file=where.file, column=where.column, hint="write it without a thousands separator"
            )
    raise DataError(f"{str(value)[:40]!r} is not a number", file=where.file, column=where.column)


def plain_numbers(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) float64 of the values that are Python numbers, NaN for the others; (N,) bool: which are numbers."""
    if {*map(type, values)} <= {float, int}:
        try:
            return np.array(values, np.float64), np.ones(len(values), bool)
        except OverflowError:
            pass
    found = [
        float(value) if type(value) is float or (type(value) is int and abs(value) < _LARGE) else None
        for value in values
    ]
    known = np.array([number is not None for number in found], bool)
    return np.array([np.nan if number is None else number for number in found], np.float64), known


def smallest_dtype(size: int) -> np.dtype[np.unsignedinteger]:
    """The narrowest unsigned integer type for ids in [0, size)."""
    return np.min_scalar_type(max(size - 1, 0))
