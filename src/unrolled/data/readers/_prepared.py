"""Text tables made ready for Arrow, which divides cells by one character: lines left out, separators replaced."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

from unrolled.data.io.mapped import CHUNK, Spool
from unrolled.data.readers._dialect import BLANKS, INNER, Dialect
from unrolled.errors import DataError, named

__all__ = ["one_sign", "without_blanks_around_quotes", "without_lines"]

_LONG = 16 * CHUNK  # no cell in quotes is that long, so a quote is not closed
_EDGES = re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
_QUOTED_OR_BLANKS = re.compile(rb'"(?:[^"\r\n]|"")*"|[ \t]+')


def without_lines(data: pa.Buffer, count: int, origin: str) -> pa.Buffer:
    """``data`` without its first ``count`` lines.

    Raises:
        DataError: it has no more lines than that.
    """
    view, place = memoryview(data).cast("B"), 0
    ends = re.compile(rb"\r\n?|\n").finditer(view)
    for _ in range(count):
        end = next(ends, None)
        if end is None:
            raise DataError(f"has no line behind the {count} that {named('skip')} leaves out", file=origin)
        place = end.end()
    return data.slice(place)


def without_blanks_around_quotes(data: pa.Buffer, dialect: Dialect) -> pa.Buffer:
    """``data`` with ``a,"b",c`` for ``a, "b" ,c``: Arrow takes a quote behind a blank for a letter."""
    if dialect.quote is None or dialect.separator in (BLANKS, " "):
        return data
    quote, by = re.escape(dialect.quote.encode()), re.escape(dialect.separator.encode())
    blanks = rb" +" if dialect.separator == "\t" else rb"[ \t]+"
    odd = rb"(?<!%b)%b(?:%b%b)*(?!%b)" % ((quote,) * 5)  # an even number is text in a cell, or an empty cell
    end = rb"(?:%b|[\r\n]|\Z)" % by
    around = rb"%b%b(?:%b|%b%b%b)|%b%b%b" % (by, blanks, odd, quote, quote, end, odd, blanks, end)
    if not re.search(around, bytes(data[: min(1 << 16, data.size)])):
        return data
    within = rb"%b[^%b]*(?:%b%b[^%b]*)*%b" % ((quote,) * 6)
    cell = re.compile(rb"(\A|[\r\n]|%b)(?:%b)?(%b)(?:%b)?(?=%b)" % (by, blanks, within, blanks, end))
    return _replaced(data, lambda piece: cell.sub(rb"\1\2", piece), dialect.quote.encode())


def one_sign(data: pa.Buffer, dialect: Dialect) -> pa.Buffer:
    """``data`` with one character for its separator of several characters, which is put back into quoted cells later.

    Raises:
        DataError: the character occurs in the data.
    """
    if len(dialect.separator) == 1:
        return data
    if dialect.separator != BLANKS:
        several = dialect.separator.encode()
        return _replaced(data, lambda piece: piece.replace(several, INNER.encode()))
    inner = INNER.encode()

    def divided(piece: bytes) -> bytes:
        piece = _EDGES.sub(b"", piece)
        return _QUOTED_OR_BLANKS.sub(lambda m: m[0] if m[0][:1] == b'"' else inner, piece)

    return _replaced(data, divided)


def _replaced(data: pa.Buffer, change: Callable[[bytes], bytes], quote: bytes = b"") -> pa.Buffer:
    """``data`` changed piece by piece; each piece ends with a line, and in no cell between two of ``quote``."""
    view, held = memoryview(data).cast("B"), b""
    with Spool() as spool:
        for start in range(0, len(view), CHUNK):
            piece = held + bytes(view[start : start + CHUNK])
            end = len(piece) if start + CHUNK >= len(view) else piece.rfind(b"\n") + 1
            if quote and end < len(piece) < _LONG:
                end = _outside(piece, end, quote)
            spool.write(change(piece[:end]))
            held = piece[end:]
        return spool.buffer()


def _outside(piece: bytes, end: int, quote: bytes) -> int:
    """The last end of a line up to ``end`` with an even number of quotes before it."""
    inside = piece.count(quote, 0, end) % 2
    while inside and end:
        start = piece.rfind(b"\n", 0, end - 1) + 1
        inside ^= piece.count(quote, start, end) % 2
        end = start
    return end
