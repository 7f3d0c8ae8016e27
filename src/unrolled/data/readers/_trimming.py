"""Blanks around the cells of a text column, left out unless the cell is in quotes; labels that differ in case."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.readers._dialect import INNER, Dialect
from unrolled.data.readers._quotes import holds

__all__ = ["alike", "trimmed", "with_separators"]

_LOOKED_AT = 20  # cells with blanks that are looked for in quotes
_LABELS, _SAMPLE = 100, 1000  # most labels in so many rows for a look at their case
_BLANK = np.isin(np.arange(256), [9, 32])


def with_separators(texts: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    """``texts`` with the separator of several characters, which one character stood for, put back."""
    if len(dialect.separator) == 1 or not pc.any(pc.match_substring(texts, INNER)).as_py():
        return texts
    return pc.replace_substring(texts, INNER, dialect.separator)


def trimmed(texts: pa.ChunkedArray, data: pa.Buffer, dialect: Dialect) -> pa.ChunkedArray:
    """``texts`` without blanks around them; unchanged if such a text is in quotes in ``data``, where blanks count."""
    outer = [_outer(chunk) for chunk in texts.chunks]
    if not any(flags.any() for flags in outer):
        return texts
    if dialect.quote is not None:
        found = pc.unique(texts.filter(pa.array(np.concatenate(outer)))).slice(0, _LOOKED_AT).to_pylist()
        start = data.slice(0, min(data.size, 1 << 24))
        quote = dialect.quote
        if any(holds(start, f"{quote}{text.replace(quote, quote * 2)}{quote}".encode()) for text in found):
            return texts
    plain = pc.utf8_trim(texts, " \t")
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, texts.type), plain)


def _outer(chunk: pa.Array) -> np.ndarray:
    """(rows,) bool: whether a text starts or ends with a blank; looks at two bytes of each."""
    _, places, data = chunk.buffers()
    if data is None or not len(chunk):
        return np.zeros(len(chunk), bool)
    ends = np.frombuffer(places, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    codes = np.frombuffer(data, np.uint8)
    if not len(codes):
        return np.zeros(len(chunk), bool)
    last = len(codes) - 1
    flags: np.ndarray = _BLANK[codes[np.minimum(ends[:-1], last)]] | _BLANK[codes[np.maximum(ends[1:] - 1, 0)]]
    flags &= ends[1:] > ends[:-1]
    return flags


def alike(texts: pa.ChunkedArray) -> str:
    """The labels of a column that differ only in case or blanks, as a phrase to follow its name; empty for others."""
    if pc.count_distinct(texts.slice(0, _SAMPLE)).as_py() > min(_LABELS, max(2, len(texts) // 2)):
        return ""
    counts = {item["values"]: item["counts"] for item in pc.value_counts(texts).to_pylist() if item["values"]}
    folded = Counter(" ".join(label.casefold().split()) for label in counts)
    same = [label for label in counts if folded[" ".join(label.casefold().split())] > 1]
    if not same or len(counts) > 10 * _LABELS:
        return ""
    listed = ", ".join(f"{label!r} ({counts[label]})" for label in sorted(same, key=str.casefold)[:6])
    return f"has labels that differ only in case or blanks, and are kept apart: {listed}"
