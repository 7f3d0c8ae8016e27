"""Orders that are computed, not stored: a shuffle of any number of rows that takes no memory.

Axes: P places that are looked up.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unrolled.data.io.hashed import hashed, mixed

__all__ = ["Coins", "Lengths", "Listed", "Permuted", "Pools"]

_POOL = 64  # batches sorted by length together: little padding, but the order stays random
_ROUNDS = 10  # six shuffle few places unevenly
_POOLS = 1 << 32  # a key that no epoch has: the orders within the pools differ from that of the rows


class Lengths(Protocol):
    """The steps of rows that are looked up; an array is one, and so is a column of a store."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


class Permuted:
    """A random order of 0 … ``count`` - 1 that depends on ``keys`` only; ``permuted[places]`` looks it up.

    A Feistel network shuffles the cells of a rectangle that has hardly more cells than are needed. A place that lands
    on a cell too many is shuffled again until it does not, so the network stays one-to-one.

    Args:
        count: from 0 to 2^62.
        keys: whole numbers, such as the seed and the epoch; others give another order.

    Shape:
        places (P,) int64 in [0, ``count``) -> (P,) int64.

    Cost:
        ten hashes a place, about 0.15 µs; no memory.

    References:
        Luby, Rackoff 1988, How to construct pseudorandom permutations, https://doi.org/10.1137/0217022;
        Black, Rogaway 2002, Ciphers with arbitrary finite domains, https://doi.org/10.1007/3-540-45760-7_9

    Example:
        >>> order = Permuted(10**12, 1, 0)
        >>> bool((order[np.arange(4)] < len(order)).all()), sorted(Permuted(5, 1)[np.arange(5)].tolist())
        (True, [0, 1, 2, 3, 4])
    """

    def __init__(self, count: int, *keys: int) -> None:
        self._count = count
        high = math.isqrt(max(count - 1, 0)) + 1
        low = max(-(-count // high), 1)
        self._sides = (np.uint64(high), np.uint64(low))
        seeds = hashed(*(np.array([key]) for key in keys), np.arange(_ROUNDS))
        self._seeds = tuple(seeds[number] for number in range(_ROUNDS))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, places: np.ndarray) -> npt.NDArray[np.int64]:
        found = self._shuffled(places.astype(np.uint64))
        while (beyond := np.flatnonzero(found >= np.uint64(self._count))).size:
            found[beyond] = self._shuffled(found[beyond])
        return found.astype(np.int64)

    def _shuffled(self, cells: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        high, low = self._sides
        left, right = cells // low, cells % low
        for number, seed in enumerate(self._seeds):
            if number % 2:
                right = (right + mixed(left ^ seed) % low) % low
            else:
                left = (left + mixed(right ^ seed) % high) % high
        return left * low + right


class Listed:
    """Batches of rows that are kept in memory, in their order."""

    def __init__(self, rows: np.ndarray, order: np.ndarray, batch: int) -> None:
        self._rows, self._order, self._batch = rows, order, batch

    @classmethod
    def by_length(cls, lengths: Lengths, rows: np.ndarray | None, batch: int) -> Listed:
        """The ``rows`` from short to long; ``None``: all of them."""
        rows = np.arange(len(lengths)) if rows is None else rows
        return cls(rows[np.argsort(lengths[rows], kind="stable")], np.arange(-(-len(rows) // batch)), batch)

    @classmethod
    def shuffled(cls, lengths: Lengths, rows: np.ndarray | None, batch: int, random: np.random.Generator) -> Listed:
        """The ``rows`` in a random order, in batches of similar length; ``None``: all of them."""
        rows = random.permutation(np.arange(len(lengths)) if rows is None else rows)
        pool = np.arange(len(rows)) // (batch * _POOL)
        return cls(rows[np.lexsort((lengths[rows], pool))], random.permutation(-(-len(rows) // batch)), batch)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> np.ndarray:
        start = int(self._order[index]) * self._batch
        return self._rows[start : start + self._batch]


class Pools:
    """Batches of rows of similar length in a random order; ``pools[i]`` is the i-th.

    Rows are drawn into pools of 64 batches, and sorted by length there. The batches of a pool follow one another in
    a random order, so only the rows of one pool are in memory.

    Args:
        lengths: of all rows.
        rows: (N,) int64, those to draw; ``None``: all.
        batch: rows in a batch, ≥ 1.
        keys: what the order depends on.
    """

    def __init__(self, lengths: Lengths, rows: np.ndarray | None, batch: int, *keys: int) -> None:
        self._lengths, self._rows, self._batch, self._keys = lengths, rows, batch, keys
        self._order = Permuted(len(lengths) if rows is None else len(rows), *keys)
        self._last: tuple[int, np.ndarray, np.ndarray] | None = None  # pool, its rows, the order of its batches

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch)

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        pool, nth = divmod(index, _POOL)
        last = self._last
        if last is None or last[0] != pool:
            self._last = last = (pool, *self._drawn(pool))
        start = int(last[2][nth]) * self._batch
        return last[1][start : start + self._batch]

    def _drawn(self, pool: int) -> tuple[np.ndarray, np.ndarray]:
        size = self._batch * _POOL
        places = np.arange(pool * size, min((pool + 1) * size, len(self._order)))
        rows = self._order[places]
        if self._rows is not None:
            rows = self._rows[rows]
        rows = rows[np.argsort(self._lengths[rows], kind="stable")]
        batches = -(-len(rows) // self._batch)
        return rows, Permuted(batches, *self._keys, _POOLS + pool)[np.arange(batches)]


class Coins:
    """A fair coin for each row; ``coins[rows]`` is (P,) bool."""

    def __init__(self, *keys: int) -> None:
        self._keys = [np.array([key]) for key in keys]

    def __getitem__(self, rows: np.ndarray) -> npt.NDArray[np.bool_]:
        return hashed(*self._keys, rows) >= np.uint64(1 << 63)
