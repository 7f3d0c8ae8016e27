"""Which items follow which: counts of pairs, discounted.

Axes: N steps of all rows end to end, P distinct pairs, V symbols, R = 10 items before a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unrolled.data.encodings.encoding import Encoded

__all__ = ["RECENT", "Counts", "PairCounts", "count_pairs", "place_of"]

RECENT = 10
_PAIRS = 1 << 25  # pairs that are counted, with repetitions


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each pair was seen at a distance of at most ``span`` steps, and what is left of that for other pairs.

    Attributes:
        span: the longest distance.
        pairs: (P,) int64.
        totals, types: (V,) int64, the pairs that begin with each item, and the distinct ones.
        discount: D in (0, 1).
    """

    span: int
    pairs: np.ndarray
    totals: np.ndarray
    types: np.ndarray
    discount: float

    @classmethod
    def of(cls, span: int, pairs: np.ndarray, before: np.ndarray, size: int) -> Counts:
        """From the counts (P,) of pairs that begin with the items ``before`` (P,)."""
        once, twice = int((pairs == 1).sum()), int((pairs == 2).sum())
        totals = np.bincount(before, pairs, size).astype(np.int64)
        types = np.bincount(before[pairs > 0], minlength=size)
        return cls(span, pairs, totals, types, (once + 1) / (once + 2 * twice + 2))

    def chances(self, before: np.ndarray) -> np.ndarray:
        """(P,) float32: the discounted share of each pair among those that begin alike."""
        kept = np.maximum(self.pairs - self.discount, 0)
        return (kept / np.maximum(self.totals, 1)[before]).astype(np.float32)

    def left(self) -> np.ndarray:
        """(V,) float32: the share that the discount left over; 1 where nothing was seen."""
        freed = self.discount * self.types / np.maximum(self.totals, 1)
        return np.where(self.totals > 0, freed, 1).astype(np.float32)


class PairCounts(NamedTuple):
    """Counts of pairs.

    Attributes:
        keys: (P,) int64, ascending: item · V + an item after it.
        next, soon: how often that was the next step, or one of the next ten.
    """

    keys: np.ndarray
    next: Counts
    soon: Counts


def count_pairs(items: Encoded, size: int) -> PairCounts:
    """Count the pairs of a column of items.

    Pairs up to ten steps apart are counted, or less far where there are more than 33 million of them.

    Args:
        items: the column.
        size: V.

    Cost: O(R N log(R N)), and 8 R N bytes.
    """
    values, place = items.values.astype(np.int64), place_of(items)
    span = max(1, min(RECENT, _PAIRS // max(1, len(values))))

    def at(distance: int) -> np.ndarray:
        later = np.flatnonzero(place >= distance)
        return values[later - distance] * size + values[later]

    keys, soon = np.unique(np.concatenate([at(distance) for distance in range(1, span + 1)]), return_counts=True)
    found, counts = np.unique(at(1), return_counts=True)
    direct = np.zeros_like(soon)
    direct[np.searchsorted(keys, found)] = counts
    before = keys // size
    return PairCounts(keys, Counts.of(1, direct, before, size), Counts.of(span, soon, before, size))


def place_of(items: Encoded) -> np.ndarray:
    """(N,): the place of each step in its row, from 0."""
    assert items.offsets is not None
    return np.arange(len(items.values)) - np.repeat(items.offsets[:-1], np.diff(items.offsets))
