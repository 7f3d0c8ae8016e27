"""An order for data beyond memory: random enough to train on, and nearly as quick to read as the file from its start.

Axes: P places that are looked up, B blocks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unrolled.data.io.hashed import hashed
from unrolled.data.plans.order import Permuted

__all__ = ["Blocked", "drawn"]

_GROUP = 128  # blocks that are read together; a batch has rows of as many of them as it has rows
_WITHIN = 1 << 33  # keys that no epoch and no pool has
_TURNED = 1 << 34


class Blocked:
    """A random order of 0 … ``count`` - 1, block by block, which depends on ``keys`` only; it is looked up by place.

    The blocks are put into a random order and read in groups of 128 to 255, or all if there are fewer. Places that
    follow one another take a row of each block of the group in turn, and each block gives its rows in an order of its
    own. So only the blocks of one group are read at a time, and rows that are neighbours in the data are not neighbours
    in a batch.

    Args:
        count: how many rows, ≥ 0.
        blocks: B ≥ 1, of how many consecutive rows each: ``count / blocks``.
        keys: whole numbers, such as the seed and the epoch; others give another order.

    Shape:
        places (P,) int64 in [0, ``count``) -> (P,) int64.

    Cost:
        some thirty hashes a place, about 0.5 µs; 8 B bytes.

    Example:
        >>> order = Blocked(1_000, 100, 1, 0)
        >>> len(np.unique(order[np.arange(1_000)])), len(np.unique(order[np.arange(32)] // 10))
        (1000, 32)
    """

    def __init__(self, count: int, blocks: int, *keys: int) -> None:
        blocks = max(1, min(blocks, count))
        self._count, self._keys = count, keys
        self._base, self._more = divmod(count, blocks)  # the first `more` blocks have one row more
        self._order = Permuted(blocks, *keys)[np.arange(blocks)]
        groups = max(1, blocks // _GROUP)
        self._borders = np.arange(groups + 1) * blocks // groups
        sizes = self._base + (self._order < self._more)
        self._until = np.concatenate([[0], np.cumsum(sizes)])[self._borders]  # rows before each group

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, places: np.ndarray) -> npt.NDArray[np.int64]:
        groups = np.searchsorted(self._until, places, side="right") - 1
        found = np.empty(len(places), np.int64)
        for group in np.unique(groups).tolist():
            its = groups == group
            found[its] = self._of_group(group, places[its] - self._until[group])
        return found

    def _of_group(self, group: int, places: np.ndarray) -> np.ndarray:
        own = self._order[self._borders[group] : self._borders[group + 1]]
        own = own[np.argsort(own >= self._more, kind="stable")]  # larger blocks first, which have a row left at the end
        turns, at = np.divmod(places, len(own))
        block = own[at]
        larger = block < self._more
        keys = (*self._keys, _WITHIN + group)
        within = np.where(
            larger,
            Permuted(self._base + 1, *keys)[turns],
            Permuted(max(self._base, 1), *keys)[np.minimum(turns, max(self._base, 1) - 1)],
        )
        turned = hashed(*(np.array([key]) for key in (*self._keys, _TURNED)), block)
        size = self._base + larger
        within = (within + (turned % size.astype(np.uint64)).astype(np.int64)) % size
        first: np.ndarray = block * self._base + np.minimum(block, self._more) + within
        return first


def drawn(count: int, blocks: int | None, *keys: int) -> Permuted | Blocked:
    """A computed order of ``count`` rows: of all of them, or block by block."""
    return Permuted(count, *keys) if blocks is None else Blocked(count, blocks, *keys)
