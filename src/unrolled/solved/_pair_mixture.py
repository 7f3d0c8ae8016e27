"""How much each of the items before a step tells about the next one: the weights of a mixture of counts.

Axes: V symbols, P distinct pairs, R = 10 items before a step, S steps that the weights are fitted on, C components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.solved._pair_counts import RECENT, Counts, PairCounts, place_of

__all__ = ["fit_mixture"]

_FITTED, _ROUNDS, _LEAST = 20_000, 100, 1e-4  # steps, rounds, and the smallest weight


def fit_mixture(items: Encoded, pairs: PairCounts, seen: np.ndarray) -> tuple[np.ndarray, float]:
    r"""The weights λ and the factor ρ of `unrolled.solved.follower.Follower` that make the training steps likeliest.

    λ, (2 + R,) float32, weighs popularity, what was next after the last item, and what was soon after each item before.
    ρ multiplies the chance of an item that is one of those before. Each step is predicted from the counts without
    itself. Where a row is short, the weights of the items that it has are scaled to sum to 1:

    .. math:: \max_\lambda \sum_s \Big(\log \sum_{c \in C_s} \lambda_c p_{sc} - \log \sum_{c \in C_s} \lambda_c\Big)

    by a hundred rounds of :math:`\lambda_c \leftarrow \sum_s r_{sc} \big/ \sum_{s: c \in C_s} (\sum_{d \in C_s}
    \lambda_d)^{-1}` with the responsibilities r; no round makes it worse. ρ is found in the same way.

    Args:
        items: the column.
        pairs: its pairs.
        seen: (V,) how often each symbol is an answer, plus one.

    References:
        Jelinek and Mercer, Interpolated estimation of Markov source parameters from sparse data, 1980
        Hunter, MM algorithms for generalized Bradley–Terry models, 2004. https://doi.org/10.1214/aos/1079120141
    """
    asked = _Asked.of(items, pairs, seen)
    joint, present = asked.chances(asked.right), asked.present
    weights = np.full(joint.shape[1], 1 / joint.shape[1])
    for _ in range(_ROUNDS):
        each = present * weights * joint
        shared = (each / each.sum(1, keepdims=True)).sum(0)
        whole = (present * weights).sum(1, keepdims=True)
        weights = shared / np.maximum((present / whole).sum(0), 1e-12)
        weights = np.maximum(weights / weights.sum(), _LEAST)
    weights /= weights.sum()
    return weights.astype(np.float32), _factor(asked, weights)


def _factor(asked: _Asked, weights: np.ndarray) -> float:
    """ρ: how much likelier it is that an item of those before returns than the mixture says."""
    recent, whole = asked.recent, (asked.present * weights).sum(1)
    expected = np.zeros(len(recent))
    for nth, item in enumerate(recent.T):
        new = (item >= 0) & ~(recent[:, :nth] == item[:, None]).any(1)
        chances = asked.present * weights * asked.chances(np.maximum(item, 0))
        expected += np.where(new, chances.sum(1) / whole, 0)
    returned, factor = (recent == asked.right[:, None]).any(1).sum(), 1.0
    for _ in range(_ROUNDS):
        factor = float((returned + 1) / ((expected / (1 + (factor - 1) * expected)).sum() + 1))
    return factor


@dataclass(frozen=True, slots=True)
class _Asked:
    """Some training steps, and what is counted of the others.

    Attributes:
        right: (S,) int64, the items at the steps.
        recent: (S, R) int64, those before, the newest first; -1 where there are fewer.
        seen: (V,) how often each symbol is an answer, plus one.
        next, soon: the pairs without those of each step.
    """

    right: np.ndarray
    recent: np.ndarray
    seen: np.ndarray
    next: _Without
    soon: _Without

    @classmethod
    def of(cls, items: Encoded, pairs: PairCounts, seen: np.ndarray) -> _Asked:
        """At most 20 000 steps of a column, evenly spaced."""
        place, values = place_of(items), items.values.astype(np.int64)
        steps = np.flatnonzero(place > 0)
        steps = steps[:: -(-len(steps) // _FITTED)]
        distance, right = np.arange(1, RECENT + 1), values[steps]
        recent = np.where(place[steps, None] >= distance, values[np.maximum(steps[:, None] - distance, 0)], -1)
        kinds = (_Without.of(pairs.keys, counts, recent, right) for counts in (pairs.next, pairs.soon))
        return cls(right, recent, seen, *kinds)

    @property
    def present(self) -> np.ndarray:
        """(S, C) bool: the components that each step has."""
        there = self.recent >= 0
        return np.concatenate([np.ones_like(there[:, :1]), there[:, :1], there], 1)

    def chances(self, item: np.ndarray) -> np.ndarray:
        """(S, C): the chance of an ``item`` (S,) at each step, by each component."""
        own = item == self.right
        base = np.maximum(self.seen[item] - own, 1)[:, None] / (self.seen.sum() - 1)
        return np.concatenate([base, self.next.chances(item, own, base)[:, :1], self.soon.chances(item, own, base)], 1)


@dataclass(frozen=True, slots=True)
class _Without:
    """Counts without the pairs of S steps with the items before them; of each step only its own are left out.

    Attributes:
        keys, counts: the pairs.
        before: (S, R) int64, the items before.
        own: (S, R), the pairs of the step that begin with them.
        totals, types: (S, R), all other pairs that begin with them, and the distinct ones.
    """

    keys: np.ndarray
    counts: Counts
    before: np.ndarray
    own: np.ndarray
    totals: np.ndarray
    types: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, counts: Counts, recent: np.ndarray, right: np.ndarray) -> _Without:
        """For steps with the items ``recent`` (S, R) before the items ``right`` (S,)."""
        before = np.maximum(recent, 0)
        own = np.stack([(recent[:, : counts.span] == item[:, None]).sum(1) for item in recent.T], 1)
        only = (own > 0) & (_found(keys, counts, before, right) == own)
        return cls(keys, counts, before, own, counts.totals[before] - own, counts.types[before] - only)

    def chances(self, item: np.ndarray, own: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(S, R): the chance of ``item`` (S,), ``own`` where it is the step's, with popularity ``base`` (S, 1)."""
        rest = _found(self.keys, self.counts, self.before, item) - self.own * own[:, None]
        kept = np.maximum(rest - self.counts.discount, 0) + self.counts.discount * self.types * base
        return np.where(self.totals > 0, kept / np.maximum(self.totals, 1), base)


def _found(keys: np.ndarray, counts: Counts, before: np.ndarray, item: np.ndarray) -> np.ndarray:
    """(S, R): how often ``item`` (S,) was counted after the items ``before`` (S, R)."""
    wanted = before * len(counts.totals) + item[:, None]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, counts.pairs[at], 0)
