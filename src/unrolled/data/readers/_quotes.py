"""Whether the quotes of a text table divide it into cells; Arrow reads on behind closing and past lone ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._pieces import raw
from unrolled.data.io.mapped import CHUNK
from unrolled.data.readers._dialect import Dialect

__all__ = ["Quotes", "holds", "quotes_fit", "scan", "swallowed"]

_PIECE = 1 << 18  # bytes looked at together: they stay in the cache
_LINES = 2  # whole lines within a cell that make it a lone quote's, if each of them divides as a row does


@dataclass(frozen=True, slots=True)
class Quotes:
    """What a scan of all quoted cells found.

    Attributes:
        closed: how many cells open with a quote and end with one.
        fault: the row, from 1, of the first cell that opens with a quote and does not end with it; 0 if there is none.
        closes: whether that quote is closed, with other text behind it.
    """

    closed: int
    fault: int = 0
    closes: bool = False


def holds(data: pa.Buffer, text: bytes) -> bool:
    """Whether ``text`` is anywhere in ``data``, but for borders of pieces."""
    view = memoryview(data)
    return any(text in bytes(view[start : start + CHUNK]) for start in range(0, len(view), CHUNK))


def quotes_fit(data: pa.Buffer, dialect: Dialect) -> bool:
    """Whether each quote in turn opens a cell and closes it; a fast look that takes no cell with a quote within it."""
    codes = np.frombuffer(data, np.uint8)
    quote, sign = ord(dialect.quote or '"'), ord(dialect.sign)
    inside = 0
    for start in range(0, len(codes), _PIECE):
        at = np.flatnonzero(codes[start : start + _PIECE] == quote)
        if not len(at):
            continue
        at += start
        opening, closing = at[inside::2], at[1 - inside :: 2]
        inside = (inside + len(at)) & 1
        before = codes[np.maximum(opening - 1, 0)]
        fits = (before == sign) | (before == 10) | (before == quote) | (before == 13) | (opening == 0)
        behind = codes[np.minimum(closing + 1, len(codes) - 1)]
        ends = (behind == sign) | (behind == 10) | (behind == quote) | (behind == 13) | (closing == len(codes) - 1)
        if not (fits.all() and ends.all()):
            return False
    return not inside


def scan(data: pa.Buffer, dialect: Dialect, headers: int, single: bool) -> Quotes:
    """Look at every cell that opens with a quote, one after another.

    Args:
        data: the table.
        dialect: its separator and quotes.
        headers: how many rows are no data.
        single: the table has one column, so that an empty line is a row.
    """
    text = memoryview(data).cast("B")
    quote, sign = re.escape((dialect.quote or '"').encode()), re.escape(dialect.sign.encode())
    opening = re.compile(rb"(?:\A|(?<=[\r\n])|(?<=" + sign + rb"))" + quote)
    within = rb"[^%b\\]*(?:\\.[^%b\\]*)*" if dialect.escaped else rb"[^%b]*(?:%b%b[^%b]*)*"
    cell = re.compile(quote + within.replace(b"%b", quote) + quote, re.DOTALL)
    ends = re.compile(rb"\Z|[\r\n]|" + sign)
    line = re.compile(rb"\r\n?|\n" if single else rb"[\r\n]+")
    row, place, closed, fault = 1 - headers, 0, 0, Quotes(0)
    while (opened := opening.search(text, place)) is not None:
        row += sum(1 for _ in line.finditer(text, place, opened.start()))
        whole = cell.match(text, opened.start())
        if whole is not None and ends.match(text, whole.end()):
            closed, place = closed + 1, whole.end()
            continue
        if not fault.fault:
            fault = Quotes(0, max(row, 1), whole is not None)
        following = line.search(text, opened.end())
        if following is None:
            break
        place = following.start()
    return Quotes(closed, fault.fault, fault.closes)


def swallowed(texts: pa.ChunkedArray, dialect: Dialect, width: int) -> int | None:
    """The first row whose cell in ``texts`` holds whole lines that divide as the rows of the table do; ``None``: none.

    A quote that was meant as a letter opens such a cell, and the next quote closes it.
    """
    if width < 2 or dialect.quote is None:
        return None
    if not any((raw(chunk)[0] == ord("\n")).any() for chunk in texts.chunks):  # a tenth of what it takes cell by cell
        return None
    places = np.flatnonzero(pc.fill_null(pc.match_substring(texts, "\n"), False).to_numpy())
    for place in places.tolist():
        lines = texts[place].as_py().split("\n")
        tabs = dialect.sign == "\t" and lines[0].count("\t") + lines[-1].count("\t") >= width - 1
        if len(lines) - 2 >= _LINES or tabs:
            whole = [line.count(dialect.sign) == width - 1 for line in lines[1:-1]]
            if all(whole):
                return int(place)
    return None
