"""Numbers that Arrow reads as something else than was written: too large, not a number, with zeros before them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.number_types import is_number
from unrolled.data.readers._csv_file import CsvFile
from unrolled.errors import named

__all__ = ["checked_floats", "coded", "far_value"]

_CODE = r"^[-+]?0[0-9]+$"
_WHOLE = r"^[-+]?[0-9]{16,}$"
_SAMPLE = 1000  # cells
_EXACT = 2.0**53  # whole numbers up to here are exact as floats
_SENTINELS = (-1e30, -99999, -9999, -999, -99, 99, 999, 9999, 99999, 999999, 1e20, 1e30)


def checked_floats(file: CsvFile, index: int, column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    """A column of floats, or its texts where it holds whole numbers too long for floats; and a remark on it.

    Raises:
        DataError: a number is too large for a float.
    """
    if column.null_count == len(column):
        return column, ""
    ends = pc.min_max(column)
    if max(abs(ends["min"].as_py() or 0), abs(ends["max"].as_py() or 0)) >= _EXACT:
        texts = file.read(texts=[index], only=[index]).column(0)
        _check_overflow(file, index, column, texts)
        if pc.any(pc.match_substring_regex(texts, _WHOLE)).as_py():
            return texts, "has whole numbers that are too long to be exact as numbers, and is kept as text"
    # A sum takes no memory, and is NaN where a value is.
    if math.isnan(pc.sum(column).as_py()) and (nan := pc.sum(pc.is_nan(column)).as_py()):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        return column, f"has {nan} of {len(column)} cells that are nan, read as missing"
    return column, ""


def coded(file: CsvFile, whole: Sequence[int]) -> dict[int, pa.ChunkedArray]:
    """The texts of those columns of whole numbers in which a number has a 0 before another digit."""
    texts = file.read(texts=whole, only=whole)
    found = {index: texts.column(str(index)) for index in whole}
    trimmed = {index: pc.utf8_trim_whitespace(column) for index, column in found.items()}
    return {i: column for i, column in trimmed.items() if pc.any(pc.match_substring_regex(column, _CODE)).as_py()}


def far_value(column: pa.ChunkedArray) -> str:
    """A value such as -999 that repeats far from all others, as a phrase to follow the column's name; else empty."""
    if not is_number(column.type):
        return ""
    ends = pc.min_max(column)
    for least in (True, False):
        value = ends["min" if least else "max"].as_py()
        if value not in _SENTINELS or not _stands_out(column.slice(0, _SAMPLE), value):
            continue
        same = pc.equal(column, pa.scalar(value, column.type))
        times = pc.sum(same).as_py()
        rest = pc.min_max(column.filter(pc.fill_null(pc.invert(same), False)))
        low, high = rest["min"].as_py(), rest["max"].as_py()
        if times < 2 or low is None:
            continue
        away = low - value if least else value - high
        if away > 2 * (high - low):
            return (
                f"has {value:g} in {times} cells, far from all other values: "
                f"if it stands for a missing value, give {named('na_values')} {value:g}"
            )
    return ""


def _stands_out(sample: pa.ChunkedArray, value: float) -> bool:
    """Whether the other values of a sample are closer to each other than to ``value``."""
    others = [other for other in sample.drop_null().to_pylist() if other != value]
    return not others or min(abs(other - value) for other in others) > max(others) - min(others)


def _check_overflow(file: CsvFile, index: int, column: pa.ChunkedArray, texts: pa.ChunkedArray) -> None:
    infinite = pc.fill_null(pc.is_inf(column), False)
    if not pc.any(infinite).as_py():
        return
    written = pc.match_substring_regex(pc.fill_null(texts, ""), r"(?i)inf")  # it is checked by the encoding
    row = pc.index(pc.and_not(infinite, written), True).as_py()
    if row >= 0:
        raise file.error(index, row, f"{texts[row].as_py()[:40]!r} is too large for a number", "the largest is 1.8e308")
