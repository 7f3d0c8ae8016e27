"""Arrays joined end to end: in memory while they are small, then in a memory-mapped file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unrolled.errors import SpaceError

__all__ = ["Gather", "frame"]

_LARGE = 64 << 20
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


class Gather:
    """Collects arrays of one dtype, and moves them to a file once they are large.

    Args:
        dtype: the dtype of every array.
        cache: the file for arrays that take more than ``large`` bytes together; ``None`` keeps them in memory.
        large: the limit, in bytes.
    """

    def __init__(self, dtype: np.dtype[Any], cache: Path | None, large: int = _LARGE) -> None:
        self._dtype, self._cache, self._large = dtype, cache, large
        self._parts: list[np.ndarray] = []
        self._size = 0
        self._file: BinaryIO | None = None

    def add(self, values: np.ndarray) -> None:
        """Append ``values``.

        Raises:
            SpaceError: the disk is full; the unfinished file is removed.
        """
        self._size += values.nbytes
        self._parts.append(values)
        if self._cache is not None and (self._file is not None or self._size > self._large):
            self._write(self._cache)

    def finish(self) -> np.ndarray:
        """All arrays joined in order; read-only and memory-mapped if they went to the file."""
        if self._file is None or self._cache is None:
            return np.concatenate(self._parts) if self._parts else np.zeros(0, self._dtype)
        self._write(self._cache)
        self._file.close()
        return np.memmap(self._cache, self._dtype, mode="r")

    def _write(self, cache: Path) -> None:
        try:
            if self._file is None:
                cache.unlink(missing_ok=True)  # a new file, because another run may still read the old one
                self._file = cache.open("xb")
            for part in self._parts:
                part.tofile(self._file)
            self._file.flush()
        except OSError as error:
            if self._file is not None:
                self._file.close()
                cache.unlink(missing_ok=True)
            if error.errno in _FULL or error.errno is None:  # NumPy reports a short write without an errno
                raise SpaceError(f"no space left for the encoded copy of the data in {cache}") from None
            raise
        self._parts = []


def frame(
    ids: np.ndarray, counts: np.ndarray, begin: int, end: int, first: bool, last: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Put ``begin`` before and ``end`` after each run of ids.

    Args:
        ids: the runs end to end.
        counts: (n,) int64, the length of each run.
        first: False if the first run continues an earlier one, so that it needs no ``begin``.
        last: False if the last run will be continued, so that it needs no ``end``.

    Returns:
        The framed runs end to end, and the length of each with its frame.
    """
    if not len(counts):
        return ids, counts
    before, after = np.ones(len(counts), np.int64), np.ones(len(counts), np.int64)
    before[0], after[-1] = first, last
    totals = counts + before + after
    stops = np.cumsum(totals)
    begins, ends = (stops - totals)[before > 0], stops[after > 0] - 1
    own = np.ones(int(stops[-1]), bool)
    own[begins] = own[ends] = False
    framed = np.empty(len(own), ids.dtype)
    framed[own], framed[begins], framed[ends] = ids, begin, end
    return framed, totals
