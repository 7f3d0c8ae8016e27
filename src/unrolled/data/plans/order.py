"""Orders that are computed, not stored: a shuffle of any number of rows that takes no memory.

Axes: P places that are looked up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unrolled.data.io.hashed import hashed, mixed

__all__ = ["Coins", "Lengths", "Listed", "Order", "Permuted", "Pools", "cuts", "in_parts", "rows_of_pool"]

_POOL = 64  # batches sorted by length together: little padding, but the order stays random
_AT_ONCE = 1 << 17  # rows of which something is asked together
_ROUNDS = 10  # six shuffle few places unevenly
_SOME = 100_000  # rows whose mean length is taken for that of all
_POOLS = 1 << 32  # a key that no epoch has: the orders within the pools differ from that of the rows


class Lengths(Protocol):
    """The steps of rows that are looked up; an array is one, and so is a column of a store."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


def in_parts(count: int) -> Iterator[np.ndarray]:
    """0 … ``count`` - 1 in parts that take little memory."""
    return (np.arange(at, min(at + _AT_ONCE, count)) for at in range(0, count, _AT_ONCE))


class Order(Protocol):
    """An order of rows that is looked up."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: np.ndarray, /) -> np.ndarray: ...


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


def cuts(lengths: np.ndarray, batch: int, tokens: int | None) -> npt.NDArray[np.int64]:
    """Where the batches of rows begin that lie from short to long, and where the last one ends.

    Args:
        lengths: the steps of the rows.
        batch: rows in a batch, if ``tokens`` are not given.
        tokens: the most steps in a batch, each row as long as its longest; a row that is longer has its own batch.

    Example:
        >>> cuts(np.array([1, 1, 2, 3, 9]), 2, None).tolist(), cuts(np.array([1, 1, 2, 3, 9]), 2, 6).tolist()
        ([0, 2, 4, 5], [0, 3, 4, 5])
    """
    if tokens is None:
        return np.minimum(np.arange(0, len(lengths) + batch, batch), len(lengths))
    found = [0]
    while (at := found[-1]) < len(lengths):
        part = lengths[at : at + tokens]
        fits = np.searchsorted(part * np.arange(1, len(part) + 1), tokens, side="right")
        found.append(at + max(1, int(fits)))
    return np.array(found)


def rows_of_pool(lengths: Lengths, batch: int, tokens: int | None) -> int:
    """How many rows are sorted by length together: those of some 64 batches."""
    if tokens is None:
        return batch * _POOL
    some = lengths[np.arange(min(len(lengths), _SOME))]
    return _POOL * max(1, int(tokens / max(1.0, float(some.mean()) if len(some) else 1.0)))


class Listed:
    """Batches of rows that are kept in memory, in their order."""

    def __init__(self, rows: np.ndarray, order: np.ndarray, starts: np.ndarray) -> None:
        self._rows, self._order, self._starts = rows, order, starts

    @classmethod
    def by_length(cls, lengths: Lengths, rows: np.ndarray | None, batch: int) -> Listed:
        """The ``rows`` from short to long; ``None``: all of them."""
        rows = np.arange(len(lengths)) if rows is None else rows
        starts = cuts(rows, batch, None)
        return cls(rows[np.argsort(lengths[rows], kind="stable")], np.arange(len(starts) - 1), starts)

    @classmethod
    def shuffled(
        cls, lengths: Lengths, rows: np.ndarray | None, batch: int, random: np.random.Generator, tokens: int | None
    ) -> Listed:
        """The rows in a random order, in batches of similar length.

        Args:
            lengths: of all rows.
            rows: those to draw; ``None``: all of them.
            batch, tokens: as for `cuts`.
            random: gives the order.
        """
        rows = random.permutation(np.arange(len(lengths)) if rows is None else rows)
        size = rows_of_pool(lengths, batch, tokens)
        steps = lengths[rows]
        order = np.lexsort((steps, np.arange(len(rows)) // size))
        rows, steps = rows[order], steps[order]
        starts = [at + cuts(steps[at : at + size], batch, tokens)[:-1] for at in range(0, len(rows), size)]
        ends = np.concatenate([*starts, [len(rows)]])
        return cls(rows, random.permutation(len(ends) - 1), ends)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> np.ndarray:
        nth = int(self._order[index])
        return self._rows[self._starts[nth] : self._starts[nth + 1]]


class Pools:
    """Batches of rows of similar length in a random order; ``pools[i]`` is the i-th.

    Rows are drawn into pools of 64 batches, and sorted by length there. The batches of a pool follow one another in
    a random order, so only the rows of one pool are in memory.

    Args:
        lengths: of all rows.
        rows: (N,) int64, those to draw; ``None``: all.
        batch: rows in a batch, ≥ 1.
        keys: what the order depends on.
        tokens: the steps in a batch, in place of ``batch``; see `cuts`. All lengths are then read once, to count the
            batches: 0.3 s for a million rows, and 8 bytes for each pool.
        order: that of the rows, in place of a random one.
    """

    def __init__(
        self,
        lengths: Lengths,
        rows: np.ndarray | None,
        batch: int,
        *keys: int,
        tokens: int | None = None,
        order: Order | None = None,
    ) -> None:
        self._lengths, self._rows, self._batch, self._keys, self._tokens = lengths, rows, batch, keys, tokens
        self._order = Permuted(len(lengths) if rows is None else len(rows), *keys) if order is None else order
        self._size = rows_of_pool(lengths, batch, tokens)
        self._last: tuple[int, np.ndarray, np.ndarray, np.ndarray] | None = None  # pool, its rows, order and starts
        pools = range(-(-len(self._order) // self._size))
        self._until = np.cumsum([len(self._sorted(pool)[1]) - 1 for pool in pools]) if tokens else None

    def __len__(self) -> int:
        if self._until is not None:
            return int(self._until[-1]) if len(self._until) else 0
        return -(-len(self._order) // self._batch)

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        pool, nth = divmod(index, _POOL)
        if self._until is not None:
            pool = int(np.searchsorted(self._until, index, side="right"))
            nth = index - (int(self._until[pool - 1]) if pool else 0)
        last = self._last
        if last is None or last[0] != pool:
            rows, starts = self._sorted(pool)
            batches = len(starts) - 1
            self._last = last = (pool, rows, Permuted(batches, *self._keys, _POOLS + pool)[np.arange(batches)], starts)
        at = int(last[2][nth])
        return last[1][last[3][at] : last[3][at + 1]]

    def _sorted(self, pool: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of a pool from short to long, and where its batches begin."""
        places = np.arange(pool * self._size, min((pool + 1) * self._size, len(self._order)))
        rows = self._order[places]
        if self._rows is not None:
            rows = self._rows[rows]
        steps = self._lengths[rows]
        order = np.argsort(steps, kind="stable")
        return rows[order], cuts(steps[order], self._batch, self._tokens)


class Coins:
    """A fair coin for each row; ``coins[rows]`` is (P,) bool."""

    def __init__(self, *keys: int) -> None:
        self._keys = [np.array([key]) for key in keys]

    def __getitem__(self, rows: np.ndarray) -> npt.NDArray[np.bool_]:
        return hashed(*self._keys, rows) >= np.uint64(1 << 63)
