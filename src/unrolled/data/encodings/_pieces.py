"""Texts in pieces of a megabyte, so that a column of any size is processed in little memory.

A piece is several whole rows, or part of one long row. Nothing is copied: pieces point into the column's buffers, which
may be a memory-mapped file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

__all__ = ["Piece", "as_text", "pieces", "raw"]

_SIZE = 1 << 20
_MARGIN = 1 << 12  # bytes before its end at which a piece may be cut, to fall between two words


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive texts of a column.

    Attributes:
        texts: no nulls; a null row is an empty text.
        row: the row of ``texts[0]``.
        before: the character before ``texts[0]`` in its row; empty if it starts where its row starts.
        ends: whether ``texts[-1]`` ends where its row ends.
    """

    texts: pa.Array
    row: int
    before: str = ""
    ends: bool = True

    @property
    def begins(self) -> bool:
        """Whether ``texts[0]`` starts where its row starts."""
        return not self.before


def pieces(array: pa.ChunkedArray, size: int = _SIZE) -> Iterator[Piece]:
    """``array`` (string or large_string) in pieces of at most ``size`` bytes, which must be at least 4."""
    row = 0
    for chunk in array.chunks:
        if chunk.null_count:
            chunk = chunk.fill_null("")
        _, offsets = raw(chunk)
        start = 0
        while start < len(chunk):
            stop = int(np.searchsorted(offsets, offsets[start] + size, side="right")) - 1
            if stop > start:
                yield Piece(chunk.slice(start, stop - start), row + start)
                start = stop
            else:
                yield from _parts(chunk.slice(start, 1), row + start, size)
                start += 1
        row += len(chunk)


def raw(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The UTF-8 bytes of all texts end to end, as a view, and the (n + 1,) offsets of the texts in them."""
    wide = pa.types.is_large_string(texts.type)
    _, places, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    dtype = np.dtype(np.int64 if wide else np.int32)
    offsets = np.frombuffer(places, dtype, len(texts) + 1, texts.offset * dtype.itemsize)
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], offsets - offsets[0]


def as_text(data: np.ndarray) -> str:
    """These bytes as text; raises `UnicodeDecodeError` if they are not UTF-8."""
    return str(data.data, "utf-8")


def _parts(text: pa.Array, row: int, size: int) -> Iterator[Piece]:
    """One long text, cut between words if it has spaces, else between characters."""
    data, _ = raw(text)
    start, before = 0, ""
    while start < len(data):
        stop = len(data) if len(data) - start <= size else _cut(data, start, start + size)
        offsets = pa.py_buffer(np.array([0, stop - start], np.int64))
        part = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(data[start:stop]))
        yield Piece(part, row, before, stop == len(data))
        start, before = stop, data[max(0, stop - 4) : stop].tobytes().decode("utf-8", "ignore")[-1:] or "\ufffd"


def _cut(data: np.ndarray, start: int, stop: int) -> int:
    """The last place in ``(start, stop]`` that splits neither a word, nor a run of spaces, nor a character.

    The cut is before an ASCII space that follows a visible ASCII character, so that words and byte-level BPE find the
    same tokens in the two parts as in the whole.
    """
    low = max(start, stop - _MARGIN)
    tail = data[low : stop + 1]
    space = (tail == 0x20) | ((tail >= 0x09) & (tail <= 0x0D))
    visible = (tail > 0x20) & (tail < 0x7F)
    found = np.flatnonzero(visible[:-1] & space[1:])
    if len(found):
        return low + int(found[-1]) + 1
    while data[stop] & 0xC0 == 0x80 and stop > start + 1:
        stop -= 1
    return stop
