"""Data in memory → an Arrow table: anything with ``__arrow_c_stream__``, a dict, or a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.tables.streams import is_stream, streamed_table
from unrolled.errors import IN_MEMORY, DataError, UsageError, counted

__all__ = ["from_arrow", "to_table"]


_FORMS = "a path, a dataframe, a dict of columns, or a list of dicts, texts or lists"


def to_table(source: Any) -> pa.Table:
    """Convert ``source`` to a table.

    Args:
        source: a polars, pandas, duckdb or Arrow table, or a column of one that has a name; a lazy frame of polars; a
            dict of columns; a list of dicts (rows), of texts (column ``text``) or of lists (column ``sequence``). In a
            dict, a column may be a list of NumPy arrays, one a row.

    Raises:
        DataError: the cells of a column are of several types, or columns differ in length.
        UsageError: ``source`` is something else.

    Example:
        >>> to_table(["so", "it goes"]).to_pydict()
        {'text': ['so', 'it goes']}
    """
    source = from_arrow(source)
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, Mapping):
        return _columns(dict(source))
    if isinstance(source, np.ndarray) and source.ndim in (2, 3):
        source = list(source)
    if not isinstance(source, list | tuple):
        raise UsageError(f"data of type {type(source).__name__} cannot be read: give {_FORMS}")
    forms = {_form(row) for row in source}
    form = forms.pop() if len(forms) == 1 else None
    if form is None:
        found = ", ".join(sorted({type(row).__name__ for row in source})) or "nothing"
        raise DataError(f"a list of {found} cannot be read as a table", file=IN_MEMORY, hint=f"give {_FORMS}")
    if form == "row":
        names = dict.fromkeys(name for row in source for name in row)
        return _columns({name: [row.get(name) for row in source] for name in names})
    return _columns({form: source})


def from_arrow(source: Any, only: str | None = None) -> Any:
    """``source`` as a table, if it speaks Arrow's C interface; anything else as it came.

    Args:
        source: a table or, such as a pandas or polars Series, a single column.
        only: what a single column is called, whatever its own name is; ``None``: it must have one.

    Raises:
        DataError: what it hands over cannot be read.
        SpaceError: it is larger than memory, and does not fit on the disk.
        UsageError: it is a single column without a name.

    Example:
        >>> from_arrow(pa.array([1, 2]), "x").to_pydict()
        {'x': [1, 2]}
    """
    if isinstance(source, pa.Table):
        return source
    if is_stream(source):
        return streamed_table(source)
    if (
        type(source).__module__.partition(".")[0] == "pandas"
        and hasattr(source, "to_frame")
        and hasattr(source, "name")
    ):
        if name := only or source.name:
            return _frame(source.to_frame(str(name)))  # with its index, which may hold its dates
    elif hasattr(source, "iloc") and hasattr(source, "columns"):
        return _frame(source)
    try:
        if hasattr(source, "__arrow_c_stream__"):
            array = pa.chunked_array(source)
        elif hasattr(source, "__arrow_c_array__"):
            array = pa.chunked_array([pa.array(source)])
        else:
            return source
    except pa.ArrowException as error:
        raise DataError(f"cannot be read as Arrow data: {_first_line(error)}", file=IN_MEMORY) from None
    if pa.types.is_struct(array.type):
        return pa.Table.from_struct_array(array)
    name = only or getattr(source, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(f"a {type(source).__name__} without a name is a column, not a table: give {{name: column}}")
    return pa.table({name: array})


def _frame(frame: Any) -> pa.Table:
    """A pandas data frame; its index becomes columns, which the metadata of the table name."""
    names = [str(name) for name in frame.columns]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise DataError("appears twice", file=IN_MEMORY, column=twice, hint="rename one of them")
    try:
        return pa.table(frame)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError):
        columns = {name: _pandas_column(name, frame.iloc[:, index]) for index, name in enumerate(names)}
    fault_free = pa.table(columns)
    index = pa.table(frame.iloc[:, :0])
    for name in index.column_names:
        fault_free = fault_free.append_column(index.schema.field(name), index.column(name))
    return fault_free.replace_schema_metadata(index.schema.metadata)


def _pandas_column(name: str, column: Any) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError):
        missing = column.isna().tolist()
        return _column(name, [None if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)])


def _form(row: object) -> str | None:
    if isinstance(row, Mapping):
        return "row"
    if isinstance(row, str):
        return "text"
    return "sequence" if isinstance(row, list | tuple | np.ndarray) else None


def _columns(columns: dict[str, Any]) -> pa.Table:
    arrays: dict[str, pa.Array] = {}
    for name, cells in columns.items():
        if not isinstance(name, str):
            raise DataError(
                f"the column name {name!r} has the type {type(name).__name__}, but must be a str", file=IN_MEMORY
            )
        arrays[name] = _column(name, cells)
        length = len(next(iter(arrays.values())))
        if len(arrays[name]) != length:
            message = f"has {counted(len(arrays[name]), 'row')}, but {next(iter(arrays))!r} has {length}"
            raise DataError(message, file=IN_MEMORY, column=name)
    return pa.table(arrays)


def _column(name: str, cells: Any) -> Any:
    if isinstance(cells, pa.Array | pa.ChunkedArray):
        return cells
    if isinstance(cells, str | bytes) or not hasattr(cells, "__len__"):
        raise DataError(
            f"has the type {type(cells).__name__}, but must be a list of cells", file=IN_MEMORY, column=name
        )
    if isinstance(cells, np.ndarray) and cells.ndim == 1:
        cells = cells.tolist() if cells.dtype == object else cells
    else:
        cells = [_cell(cell) for cell in cells]
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":  # Arrow knows days and seconds, not weeks and hours
        coarse = np.datetime_data(cells.dtype)[0]
        cells = cells.astype("datetime64[D]" if coarse in "YMW" else "datetime64[s]" if coarse in "hm" else cells.dtype)
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError) as error:
        row, reason = _first_fault(cells, error)
        if isinstance(cells[row - 1], complex | np.complexfloating):
            hint = "give the real and the imaginary part as two columns"
            raise DataError("holds complex numbers", file=IN_MEMORY, row=row, column=name, hint=hint) from None
        raise DataError(f"the values are not of one type: {reason}", file=IN_MEMORY, row=row, column=name) from None


def _cell(cell: object) -> object:
    if not hasattr(cell, "__array__"):  # NumPy arrays, and tensors
        return cell
    array = np.asarray(cell)
    if array.ndim != 2:
        return array if array.ndim == 1 else array.tolist()
    return list(array)  # (steps, channels)


def _first_fault(cells: Any, error: Exception) -> tuple[int, str]:
    low, high, reason = 0, len(cells) - 1, error  # cells[: high + 1] do not make a column
    while low < high:
        middle = (low + high) // 2
        try:
            pa.array(cells[: middle + 1])
            low = middle + 1
        except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError) as earlier:
            high, reason = middle, earlier
    return high + 1, _first_line(reason)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no type fits"])[0][:200]
