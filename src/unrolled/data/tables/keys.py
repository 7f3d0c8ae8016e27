"""The keys of sequences as numbers that depend on nothing but the key, so that each can be dealt to a file or a split.

Axes: N rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings._pieces import raw
from unrolled.data.io.hashed import hashed, mixed

__all__ = ["key_hashes"]

_WORD = 8  # bytes that are mixed at a time
_AT_ONCE = 1 << 17  # rows


def key_hashes(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """(N,) whole numbers in [0, 2^64): a pure function of each cell and of the type of the column.

    Args:
        column: without nulls.

    Example:
        >>> first, second = key_hashes(pa.chunked_array([["ann", "bob"]])), key_hashes(pa.chunked_array([["bob"]]))
        >>> bool(first[1] == second[0]), bool(first[0] == second[0])
        (True, False)
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int64() if column.type.bit_width == np.iinfo(np.int64).bits else pa.int32())
    if pa.types.is_integer(column.type):
        return hashed(column.to_numpy().astype(np.int64))
    if pa.types.is_floating(column.type):
        return hashed((column.cast(pa.float64()).to_numpy() + 0.0).view(np.uint64))  # -0.0 is 0.0
    texts = column if is_text(column.type) else column.cast(pa.string())
    parts = [_of_texts(chunk.slice(at, _AT_ONCE)) for chunk in texts.chunks for at in range(0, len(chunk), _AT_ONCE)]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def _of_texts(texts: pa.Array) -> npt.NDArray[np.uint64]:
    data, offsets = raw(texts)
    starts, lengths = offsets[:-1], np.diff(offsets)
    data = np.concatenate([data, np.zeros(_WORD, np.uint8)])
    found = lengths.astype(np.uint64)
    for place in range(0, int(lengths.max(initial=0)), _WORD):
        rows = np.flatnonzero(lengths > place)
        word = np.zeros(len(rows), np.uint64)
        for byte in range(_WORD):
            inside = lengths[rows] > place + byte
            letters = data[starts[rows] + place + byte].astype(np.uint64)
            word |= np.where(inside, letters, np.uint64(0)) << np.uint64(8 * byte)
        found[rows] = mixed(found[rows] ^ word)
    return mixed(found)
