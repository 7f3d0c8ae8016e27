"""Columns that only name or count the rows: a model that reads them learns the order of the file by heart."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text
from unrolled.data.io.column_names import names_a_time, names_an_identity

__all__ = ["identifiers", "index_columns", "is_time"]

_ROW_NAMES = re.compile(r"(?:unnamed: ?\d+|__index_level_\d+__|index|idx|rownames?|row_?(?:id|number|nr|no)?)", re.I)
_UUID = r"^(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-f]{32,64})$"
_NEARLY = 0.5  # share of distinct names from which on they tell single rows apart
_FIRST_ID = 1000  # where numbers of rows begin that do not begin with 0 or 1
_ENOUGH = 20  # rows that are numbered 1, 2, 3 … not by accident


def identifiers(table: pa.Table, kept: Collection[str]) -> dict[str, str]:
    """Column -> why it is left out, as a phrase to follow "it", for each that only names or counts the rows.

    That is a column of distinct texts or whole numbers whose name says so (``id``, ``PassengerId``, ``Unnamed: 0``),
    one of UUIDs or hashes, or one of whole numbers that follow each other without a gap, in any order, from 0 or 1
    or from at least 1000 on.

    Args:
        table: a row for each example or step.
        kept: columns that are asked for by name.

    Cost: O(rows) for columns of whole numbers, and for texts whose name or first cell says that they may be.

    Example:
        >>> rows = pa.table({"CustomerId": [7, 9, 4], "age": [30, 41, 29]})
        >>> identifiers(rows, ())
        {'CustomerId': 'is different in every row, as its name says'}
    """
    found = {}
    index = index_columns(table.schema)
    for field in table.schema:
        if field.name in kept or (field.metadata and b"kind" in field.metadata):
            continue
        if field.name in index and not is_time(field.type):
            found[field.name] = "is the index of the data frame"
        elif (why := _names_rows(table.column(field.name), field.name)) is not None:
            found[field.name] = why
    return found


def index_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold the index of the pandas data frame from which a table was made."""
    try:
        index = json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, ValueError, TypeError):
        return []
    return [name for name in index if isinstance(name, str) and name in schema.names]


def is_time(kind: pa.DataType) -> bool:
    """Whether a column of an Arrow type holds dates, times or periods of pandas."""
    return bool(pa.types.is_temporal(kind) or getattr(kind, "extension_name", "") == "pandas.period")


def _names_rows(column: pa.ChunkedArray, name: str) -> str | None:
    whole, text = pa.types.is_integer(column.type), is_text(column.type)
    if not (whole or text) or column.null_count or len(column) < 2:
        return None
    named = _ROW_NAMES.fullmatch(name.strip()) is not None or names_an_identity(name)
    if text and not named and not _all_match(column, _UUID):
        return None
    if not (named or text):  # cheap, so it is checked first
        ends = pc.min_max(column).as_py()
        if len(column) < _ENOUGH or names_a_time(name) or ends["max"] - ends["min"] != len(column) - 1:
            return None
        if 1 < ends["min"] < _FIRST_ID:  # a trend
            return None
    distinct = pc.count_distinct(column).as_py()
    if named and len(column) > distinct > _NEARLY * len(column):
        return "is different in most rows, as its name says"
    if distinct < len(column):
        return None
    if named:
        return "is different in every row, as its name says"
    return "is an identifier, different in every row" if text else "counts the rows"


def _all_match(texts: pa.ChunkedArray, pattern: str) -> bool:
    first = texts[0].as_py()
    return re.match(pattern, first) is not None and pc.all(pc.match_substring_regex(texts, pattern)).as_py() is True
