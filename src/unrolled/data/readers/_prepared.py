"""Text tables made ready for Arrow, which divides cells by one character: lines left out, separators replaced."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

from unrolled.data.io.mapped import CHUNK, Spool
from unrolled.data.readers._dialect import BLANKS, INNER, Dialect
from unrolled.errors import DataError, named

__all__ = ["one_sign", "without_blanks_before_quotes", "without_lines"]

_BEFORE_QUOTES = re.compile(rb',[ \t]+"(?!")|,[ \t]+(?=""[,\r\n])')
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


def without_blanks_before_quotes(data: pa.Buffer, dialect: Dialect) -> pa.Buffer:
    """``data`` with ``a,"b"`` for ``a, "b"``: Arrow takes a quote behind a blank for a letter."""
    if dialect.separator != "," or dialect.quote != '"' or not _blank_quotes(data):
        return data
    return _replaced(data, lambda piece: _BEFORE_QUOTES.sub(lambda m: b',"' if m[0].endswith(b'"') else b",", piece))


def _blank_quotes(data: pa.Buffer) -> bool:
    """Whether each line at the start that has a quote opens a cell with one behind a blank, and none without it."""
    start = bytes(data[: min(1 << 16, data.size)])
    return bool(re.search(rb',[ \t]+"', start)) and not re.search(rb',"', start) and b'""' not in start


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


def _replaced(data: pa.Buffer, change: Callable[[bytes], bytes]) -> pa.Buffer:
    """``data`` changed piece by piece; each piece ends with a line."""
    view, held = memoryview(data).cast("B"), b""
    with Spool() as spool:
        for start in range(0, len(view), CHUNK):
            piece = held + bytes(view[start : start + CHUNK])
            end = len(piece) if start + CHUNK >= len(view) else piece.rfind(b"\n") + 1
            spool.write(change(piece[:end]))
            held = piece[end:]
        return spool.buffer()
