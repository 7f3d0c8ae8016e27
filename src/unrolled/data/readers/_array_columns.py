"""NumPy arrays as the columns of a table: the first axis counts rows, the second steps, the third channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from unrolled.data.readers.reader import REMARK
from unrolled.errors import DataError

__all__ = ["LONE", "as_one_row", "as_table"]

LONE = "sequence"  # the column of an array without a name
_LISTED = 10  # arrays that a message lists at most


def as_table(arrays: Mapping[str, np.ndarray], origin: str) -> pa.Table:
    """A column for each array, which must have equally many rows; a lone vector of numbers is one long sequence.

    Single values are left out, and a remark says so.

    Args:
        arrays: name -> (N,), (N, T) or (N, T, C); one with a structured dtype, (N,), has a column for each field.
        origin: the name of the file in messages.

    Raises:
        DataError: there is no array, two differ in length, or one cannot be a column.
    """
    fields = _fields(arrays)
    used = {name: array for name, array in fields.items() if array.ndim and array.size}
    if not used:
        raise DataError("holds no array", file=origin)
    if len(used) == 1 and (array := next(iter(used.values()))).ndim == 1 and array.dtype.kind in "iufb":
        return pa.table({name: _column(array[None], name, origin) for name, array in used.items()})
    lengths = {len(array) for array in used.values()}
    if len(lengths) > 1:
        shapes = [f"{name} {'×'.join(map(str, array.shape))}" for name, array in used.items()]
        rest = ", …" if len(shapes) > _LISTED else ""
        message = f"its arrays differ in length: {', '.join(shapes[:_LISTED])}{rest}"
        hint = "save one array, or those whose rows belong together, such as inputs and labels of one split"
        raise DataError(message, file=origin, hint=hint)
    table = pa.table({name: _column(array, name, origin) for name, array in used.items()})
    left = [name for name in fields if name not in used]
    return table.replace_schema_metadata({REMARK: f"single values are left out: {', '.join(left)}"}) if left else table


def as_one_row(arrays: Mapping[str, np.ndarray], origin: str) -> pa.Table:
    """A table of one row, for a file that is one example: (T,) or (T, C) are the steps of a cell, () is a value.

    Raises:
        DataError: there is no array, or one cannot be a cell.
    """
    used = {name: array for name, array in _fields(arrays).items() if array.size}
    if not used:
        raise DataError("holds no array", file=origin)
    return pa.table({name: _column(array[None], name, origin) for name, array in used.items()})


def _fields(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        found |= {name: array} if array.dtype.names is None else {field: array[field] for field in array.dtype.names}
    return found


def _column(array: np.ndarray, name: str, origin: str) -> pa.Array:
    """(N,), (N, T) or (N, T, C) as N values, lists of T values, or lists of T steps with C channels."""
    if array.dtype.kind == "O":
        return _ragged(array, name, origin)
    if array.ndim > 3:
        shape = "×".join(map(str, array.shape))
        raise DataError(f"has the shape {shape}, but at most rows, steps and channels count", file=origin, column=name)
    cells = _values(array, name, origin)
    if array.ndim == 1:
        return cells
    if array.ndim == 3:
        cells = pa.FixedSizeListArray.from_arrays(cells, array.shape[2])
    ends = np.arange(len(array) + 1, dtype=np.int64) * array.shape[1]
    return pa.LargeListArray.from_arrays(pa.array(ends), cells)


def _values(array: np.ndarray, name: str, origin: str) -> pa.Array:
    flat = np.ascontiguousarray(array).reshape(-1)
    kind = flat.dtype.kind
    if kind == "S":
        try:
            return pa.array([cell.decode("utf-8") for cell in flat.tolist()], pa.string())
        except UnicodeDecodeError:
            raise DataError("holds bytes that are not UTF-8", file=origin, column=name) from None
    if kind == "U":
        return pa.array(flat.tolist(), pa.string())
    if kind not in "iufbM":
        raise DataError(f"holds {flat.dtype}, which is neither number, time nor text", file=origin, column=name)
    if kind == "f" and flat.dtype.itemsize not in (4, 8):
        flat = flat.astype(np.float32 if flat.dtype.itemsize < 4 else np.float64)
    try:
        return pa.array(flat.astype(flat.dtype.newbyteorder("="), copy=False))
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"cannot be read: {str(error)[:100]}", file=origin, column=name) from None


def _ragged(array: np.ndarray, name: str, origin: str) -> pa.Array:
    """Cells of arrays that differ in length, as MATLAB keeps them; their first axis is time."""
    cells = [np.asarray(cell) for cell in array.reshape(-1)]
    if not all(cell.dtype.kind in "iufbUS" and cell.ndim in (1, 2) for cell in cells):
        raise DataError("holds objects that are not arrays of numbers or texts", file=origin, column=name)
    if all(cell.dtype.kind in "US" and cell.size == 1 for cell in cells):
        return pa.array([str(cell.reshape(-1)[0]) for cell in cells], pa.string())
    widths = {cell.shape[1] if cell.ndim == 2 else 0 for cell in cells}
    if len(widths) > 1:
        raise DataError(f"its cells have {min(widths)} to {max(widths)} channels", file=origin, column=name)
    flat = _values(np.concatenate(cells).reshape(-1), name, origin)
    width = widths.pop()
    steps = pa.FixedSizeListArray.from_arrays(flat, width) if width else flat
    ends = np.cumsum([0, *(len(cell) for cell in cells)], dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(ends), steps)
