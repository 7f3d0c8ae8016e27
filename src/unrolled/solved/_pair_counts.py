"""Which items follow which: counts of pairs, discounted, and how much each item before tells about the next one.

Axes: N steps of all rows end to end, P distinct pairs, V symbols, R = 10 items before a step, S steps that weights are
fitted on, C components of a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unrolled.data.encodings.encoding import Encoded

__all__ = ["RECENT", "PairCounts", "count_pairs", "fit_weights"]

RECENT = 10
_PAIRS = 1 << 25  # pairs that are counted, with repetitions
_FITTED, _ROUNDS, _LEAST = 20_000, 100, 1e-4  # steps, rounds, and the smallest weight


@dataclass(frozen=True, slots=True)
class _Counts:
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
    def of(cls, span: int, pairs: np.ndarray, before: np.ndarray, size: int) -> _Counts:
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
    next: _Counts
    soon: _Counts


def count_pairs(items: Encoded, size: int) -> PairCounts:
    """Count the pairs of a column of items.

    Pairs up to ten steps apart are counted, or less far where there are more than 33 million of them.

    Args:
        items: the column.
        size: V.

    Cost: O(R N log(R N)), and 8 R N bytes.
    """
    values, place = items.values.astype(np.int64), _place(items)
    span = max(1, min(RECENT, _PAIRS // max(1, len(values))))

    def at(distance: int) -> np.ndarray:
        later = np.flatnonzero((place >= distance) & (values >= 0))
        later = later[values[later - distance] >= 0]
        return values[later - distance] * size + values[later]

    keys, soon = np.unique(np.concatenate([at(distance) for distance in range(1, span + 1)]), return_counts=True)
    found, counts = np.unique(at(1), return_counts=True)
    direct = np.zeros_like(soon)
    direct[np.searchsorted(keys, found)] = counts
    before = keys // size
    return PairCounts(keys, _Counts.of(1, direct, before, size), _Counts.of(span, soon, before, size))


def fit_weights(items: Encoded, pairs: PairCounts, seen: np.ndarray) -> np.ndarray:
    r"""(2 + R,) float32: the weights of popularity, of what was next after the last item, of what was soon after each.

    They are the most likely ones for the training steps, each predicted from the counts without itself. Where a row
    is short, the weights of the items that it has are scaled to sum to 1:

    .. math:: \max_\lambda \sum_s \Big(\log \sum_{c \in C_s} \lambda_c p_{sc} - \log \sum_{c \in C_s} \lambda_c\Big)

    by a hundred rounds of :math:`\lambda_c \leftarrow \sum_s r_{sc} \big/ \sum_{s: c \in C_s} (\sum_{d \in C_s}
    \lambda_d)^{-1}` with the responsibilities r; no round makes it worse.

    Args:
        items: the column.
        pairs: its pairs.
        seen: (V,) how often each symbol is an answer, plus one.

    References:
        Jelinek and Mercer, Interpolated estimation of Markov source parameters from sparse data, 1980
        Hunter, MM algorithms for generalized Bradley–Terry models, 2004. https://doi.org/10.1214/aos/1079120141
    """
    place, values = _place(items), items.values.astype(np.int64)
    steps = np.flatnonzero((place > 0) & (values >= 0))
    steps = steps[:: max(1, len(steps) // _FITTED)]
    distance, right = np.arange(1, RECENT + 1), values[steps]
    recent = np.where(place[steps, None] >= distance, values[np.maximum(steps[:, None] - distance, 0)], -1)  # (S, R)
    base = np.maximum(seen[right] - 1, 1) / (seen.sum() - 1)
    first, each = (_without_itself(pairs.keys, counts, recent, right, base) for counts in (pairs.next, pairs.soon))
    columns = np.concatenate([base[:, None], first[:, :1], each], 1)  # (S, C)
    there = recent >= 0
    present = np.concatenate([np.ones_like(there[:, :1]), there[:, :1], there], 1)
    weights = np.full(columns.shape[1], 1 / columns.shape[1])
    for _ in range(_ROUNDS):
        joint = present * weights * columns
        shared = (joint / joint.sum(1, keepdims=True)).sum(0)
        whole = (present * weights).sum(1, keepdims=True)
        weights = shared / np.maximum((present / whole).sum(0), 1e-12)
        weights = np.maximum(weights / weights.sum(), _LEAST)
    return (weights / weights.sum()).astype(np.float32)


def _without_itself(
    keys: np.ndarray, counts: _Counts, recent: np.ndarray, right: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """(S, R): the chance of ``right`` (S,) after each of the items ``recent`` (S, R), had its step not been counted."""
    size, found = len(counts.totals), []
    for item in recent.T:
        of = np.maximum(item, 0)
        at = np.minimum(np.searchsorted(keys, of * size + right), len(keys) - 1)
        own = (recent[:, : counts.span] == item[:, None]).sum(1)
        seen = np.where(keys[at] == of * size + right, counts.pairs[at], 0)
        rest, total = seen - own, counts.totals[of] - own
        types = counts.types[of] - ((seen > 0) & (rest == 0))
        kept = np.maximum(rest - counts.discount, 0) + counts.discount * types * base
        found.append(np.where(total > 0, kept / np.maximum(total, 1), base))
    return np.stack(found, 1)


def _place(items: Encoded) -> np.ndarray:
    """(N,): the place of each step in its row, from 0."""
    assert items.offsets is not None
    return np.arange(len(items.values)) - np.repeat(items.offsets[:-1], np.diff(items.offsets))
