"""Text cells such as ``[1, 2, 3]``, ``["a", "b"]`` or ``1 2 3`` become list cells, if all cells are lists."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import ENCODINGS, traits_of
from unrolled.data.io.number_types import is_number
from unrolled.data.io.stray_cells import NUMBER
from unrolled.data.readers._jsonlines import read_json_lines
from unrolled.errors import DataError

__all__ = ["in_groups", "is_verbatim", "parse_lists", "with_lists"]

_SAMPLE = 100
_JSON_LIST = r"^\s*\[[\s\S]*\]\s*$"
_NUMBERS = rf"^\s*{NUMBER}(?:\s+{NUMBER})*\s*$"
_CODE = r"(?:^|\s)0[0-9]"  # 0171 123456 is one number of a telephone, to the letter
_SEVERAL = r"\S\s+\S"
_GROUPS = r"^\s*[-+]?[1-9][0-9]{0,2}(?: [0-9]{3}){0,2}(?:\.[0-9]+)?\s*$|^\s*(?:0(?:\.[0-9]+)?|(?i:nan))\s*$"


def is_verbatim(name: str, config: DataConfig) -> bool:
    """Whether the user declared a column as labels or names of sequences, such as 007, or texts, such as "1 2"."""
    if config.by and name in (config.by, *config.by.split(",")):
        return True
    kind = config.kinds.get(name, "")
    return kind in ENCODINGS and (traits_of(kind).labels or traits_of(kind).verbatim)


def with_lists(table: pa.Table, config: DataConfig) -> pa.Table:
    """``table`` with its texts parsed as lists where they are lists, as those of a file are.

    Example:
        >>> with_lists(pa.table({"digits": ["3 1 2", "4 4"], "text": ["3 to 1", "4"]}), DataConfig()).to_pydict()
        {'digits': [[3, 1, 2], [4, 4]], 'text': ['3 to 1', '4']}
    """
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            parsed = parse_lists(column, spaced=not (is_verbatim(name, config) or in_groups(column)))
            if parsed is not column:
                table = table.set_column(index, name, parsed)
    return table


def parse_lists(column: pa.ChunkedArray, spaced: bool) -> pa.ChunkedArray:
    """Parse the texts of ``column`` as lists, if each of them is one; otherwise return it unchanged.

    Args:
        column: of type string.
        spaced: whether numbers separated by blanks are a list.
    """
    if _all_match(column, _JSON_LIST):
        return _from_json(column)
    return _from_numbers(column) if spaced and _several(column) else column


def in_groups(column: pa.ChunkedArray) -> int:
    """In how many cells blanks may divide thousands, as in 12 345, where no cell shows that they divide the items of a
    list instead.
    """
    if not (_several(column) and _all_match(column, _GROUPS)):
        return 0
    return int(pc.sum(pc.match_substring_regex(column, _SEVERAL)).as_py() or 0)


def _several(column: pa.ChunkedArray) -> bool:
    """Whether all cells are numbers with blanks between them, some have several, and none starts with a 0."""
    if not (_all_match(column, _NUMBERS) and pc.any(pc.match_substring_regex(column, _SEVERAL)).as_py()):
        return False
    return not pc.any(pc.match_substring_regex(column, _CODE)).as_py()


def _all_match(column: pa.ChunkedArray, pattern: str) -> bool:
    for part in (column.slice(0, _SAMPLE), column):  # most columns are text, and a few cells show it
        if part.null_count < len(part) and not pc.all(pc.match_substring_regex(part, pattern)).as_py():
            return False
    return bool(column.null_count < len(column))


def _from_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    cells = pc.fill_null(pc.replace_substring_regex(column.cast(pa.large_string()), r"\s", " "), "null")
    before, behind, nothing = (pa.scalar(text, pa.large_string()) for text in ('{"cell":', "}\n", ""))
    lines = pc.binary_join_element_wise(before, cells, behind, nothing).combine_chunks()
    first, last = lines.buffers()[1], lines.buffers()[2]
    offsets = memoryview(first).cast("q")
    text = last.slice(offsets[lines.offset], offsets[lines.offset + len(lines)] - offsets[lines.offset])
    try:
        table = read_json_lines(text, "memory")
    except DataError:
        return column  # brackets, but not JSON: a text
    if table.column_names != ["cell"]:  # a cell such as [1], "b": [2] would add a key
        return column
    value = table["cell"].type
    while pa.types.is_list(value):
        value = value.value_type
    known = is_number(value) or pa.types.is_string(value)
    return table["cell"] if known or pa.types.is_boolean(value) else column


def _from_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column))
    for value in (pa.int64(), pa.float64()):
        try:
            return words.cast(pa.list_(value))
        except pa.ArrowInvalid:
            continue
    return column
