"""JSON: an array of objects, an object of columns, or one such array inside of an object."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import Spool
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._jsonlines import read_json_lines
from unrolled.data.readers.reader import REMARK, Reader
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError, counted

__all__ = ["read_json"]

_LISTED = 5  # keys that a message lists at most
_BEGINS = re.compile(rb'(\xef\xbb\xbf)?\s*\[\s*(\{\s*"|\[\s*[\[\d"-])')


def read_json(path: Path, config: DataConfig) -> pa.Table:
    """The table in ``path``.

    It is an array of objects, of texts (column ``text``) or of lists (column ``sequence``); an object whose values are
    the columns, as lists or as objects with the same keys; an object with ``columns`` and ``data``, as pandas splits a
    table; or an object with one such array under a key of any name. JSON Lines are read too. Objects in cells become
    columns named ``key.inner``; NaN is missing.

    Raises:
        DataError: the file is missing, empty, not in ``config.text_encoding``, not JSON, or of another form.
    """
    origin = str(path)
    buffer = text_buffer(path, config.text_encoding)
    try:
        value = json.loads(str(memoryview(buffer), "utf-8"), parse_constant=lambda name: _constant(name, origin))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # several values one after the other
            return read_json_lines(buffer, origin)
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"is not JSON: {error.msg}, {place}", file=origin) from None
    except RecursionError:
        raise DataError("is nested too deep", file=origin) from None
    except ValueError as error:  # a number with too many digits
        raise DataError(f"is not JSON: {str(error)[:100]}", file=origin) from None
    rows, remark = _rows(value, origin)
    table = _table(rows, origin)
    return table.replace_schema_metadata({REMARK: remark}) if remark else table


def _constant(name: str, origin: str) -> None:
    if name != "NaN":
        raise DataError(f"holds {name}, which is not a number", file=origin)


def _rows(value: Any, origin: str) -> tuple[list[Any], str]:
    """The rows, and a remark on what is left out."""
    if isinstance(value, list):
        return value, ""
    if not isinstance(value, dict) or not value:
        raise DataError(f"holds {_named(value)}, but must hold an array of objects", file=origin)
    if {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        return _from_split(value["columns"], value["data"], origin), ""
    cells = list(value.values())
    if all(isinstance(cell, dict) for cell in cells) and len({tuple(cell) for cell in cells}) == 1 and cells[0]:
        if all(key.isdecimal() for key in cells[0]):  # as pandas writes columns: the keys count the rows
            return [{name: column[key] for name, column in value.items()} for key in cells[0]], ""
        return cells, ""
    lists = {name: cell for name, cell in value.items() if isinstance(cell, list)}
    if len(lists) == len(value) and not any(isinstance(cell, dict) for column in cells for cell in column):
        return _from_columns(lists, origin), ""
    tables = [name for name, cell in lists.items() if cell and all(isinstance(row, dict) for row in cell)]
    if len(tables) == 1:
        others = [name for name in value if name != tables[0]]
        rest = f"; what is under {', '.join(others[:_LISTED])} is left out" if others else ""
        return lists[tables[0]], f"the rows are those under {tables[0]!r}{rest}"
    if not any(isinstance(cell, list | dict) for cell in cells):
        return [value], ""
    raise DataError(
        f"is an object with {', '.join(map(repr, list(value)[:_LISTED]))}, which is not a table",
        file=origin,
        hint='write an array of objects: [{"column": value, ...}, ...]',
    )


def _from_split(columns: Any, rows: Any, origin: str) -> list[Any]:
    if not (isinstance(columns, list) and isinstance(rows, list) and all(isinstance(name, str) for name in columns)):
        raise DataError("its 'columns' must be an array of names and its 'data' one of rows", file=origin)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise DataError(
                f"must be an array of {counted(len(columns), 'cell')}, as 'columns' says", file=origin, row=number
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _from_columns(columns: dict[str, list[Any]], origin: str) -> list[Any]:
    lengths = {name: len(column) for name, column in columns.items()}
    first, count = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != count:
            raise DataError(f"has {counted(length, 'row')}, but {first!r} has {count}", file=origin, column=name)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _table(rows: list[Any], origin: str) -> pa.Table:
    """The table with these rows, by way of JSON Lines, which checks the types of the cells row by row."""
    if not rows:
        raise DataError("has no rows", file=origin)
    column = "text" if isinstance(rows[0], str) else "sequence" if isinstance(rows[0], list) else None
    for number, row in enumerate(rows, start=1):
        if type(row) is not type(rows[0]) or (column is None and not isinstance(row, dict)):
            wanted = "an object" if isinstance(rows[0], dict) else _named(rows[0])
            raise DataError(f"is {_named(row)}, but must be {wanted}", file=origin, row=number)
    try:
        with Spool() as spool:
            for row in rows:
                line = json.dumps(row if column is None else {column: row}, ensure_ascii=False, allow_nan=False)
                spool.write(line.encode() + b"\n")
            return read_json_lines(spool.buffer(), origin)
    except UnicodeEncodeError:
        raise DataError("holds half of a surrogate pair, which is not a letter", file=origin) from None
    except ValueError:
        raise DataError("holds a number beyond 1.8e308", file=origin) from None


def _named(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _recognises(beginning: Beginning) -> int:
    return 100 if _BEGINS.match(beginning.data) else 0


MEMBER = Reader((".json",), read_json, recognises=_recognises, tabular=True, sidecar=True)
