"""Texts that say how long something took, or when on a day it was: ``00:32:10``, ``5:23``, ``0 days 00:00:01``."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.number_forms import is_missing

__all__ = ["counted_in", "counted_up"]

_PATTERN = (
    r"^\s*(?:(?P<days>\d{1,5}) days?,? )?"
    r"(?P<a>\d{1,4}):(?P<b>[0-5]\d)(?::(?P<c>[0-5]\d)(?P<fraction>\.\d{1,9})?)?\s*$"
)
_SHOWN = 5  # cells that are tried before the others are looked at


def counted_up(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """(N,) float64: the seconds of times and of texts that hold colons, or minutes if no text has seconds; or ``None``.

    ``5:23`` is 323 in either case: the unit is the last part. Words for missing values are null.

    Args:
        column: (N,) times, or texts.

    Example:
        >>> counted_up(pa.chunked_array([["00:32:10", "26:00:00", "--"]])).to_pylist()
        [1930.0, 93600.0, None]
        >>> counted_up(pa.chunked_array([["5:23", "twice"]]))
    """
    if pa.types.is_time(column.type):
        micros = column.cast(pa.time64("us"), safe=False).cast(pa.int64())
        return pc.divide(micros.cast(pa.float64(), safe=False), 1e6)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)) or not _at_first(column):
        return None
    texts = pc.if_else(pc.fill_null(is_missing(column), False), pa.scalar(None, column.type), column)
    parts = pc.extract_regex(texts, _PATTERN)
    if parts.null_count > texts.null_count:
        return None

    def number(name: str) -> pa.ChunkedArray:
        text = pc.struct_field(parts, name)
        return pc.if_else(pc.equal(text, ""), "0", text).cast(pa.float64())

    whole = pc.add(pc.multiply(number("a"), 60.0), number("b"))
    seconds = pc.add(pc.add(pc.multiply(whole, 60.0), number("c")), number("fraction"))
    exact = pc.not_equal(pc.struct_field(parts, "c"), "")
    days = pc.multiply(number("days"), pc.if_else(exact, 86400.0, 1440.0))
    return pc.add(days, pc.if_else(exact, seconds, whole))


def counted_in(column: pa.ChunkedArray, numbers: pa.ChunkedArray) -> str:
    """How a column was read, as a phrase to follow its name, with its first cell as the example.

    Example:
        >>> cells = pa.chunked_array([["00:32:10"]])
        >>> counted_in(cells, counted_up(cells))
        'is read in its smallest unit, so that 00:32:10 is 1930'
    """
    row = pc.index(pc.is_valid(numbers), True).as_py()
    return f"is read in its smallest unit, so that {column[row].as_py()} is {numbers[row].as_py():.15g}"


def _at_first(column: pa.ChunkedArray) -> bool:
    """Whether the first few cells that are not missing fit, of which there must be some."""
    cells = column.drop_null().slice(0, 200)
    shown = cells.filter(pc.invert(is_missing(cells))).slice(0, _SHOWN).to_pylist()
    return bool(shown) and all(re.match(_PATTERN, cell) for cell in shown)
