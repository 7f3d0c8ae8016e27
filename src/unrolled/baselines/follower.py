"""Predicts the items that most often follow the last one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._ranked import before, judged_places, places_of
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers

__all__ = ["Follower"]


@dataclass(frozen=True, slots=True)
class Follower:
    r"""Ranks items by how often they followed the last item in training; ties are ranked by popularity.

    .. math:: s(v \mid u) = n_{uv} + n_v / (1 + \sum_w n_w)

    What it shows: how much can be predicted from only the last event, with a simple database query. A model of whole
    histories has to beat it, or the history adds nothing to the last event.

    Applies to: the next item of a list.

    Cost: fit O(N log N) for N steps; O(log N) per score. A rank among all items also visits the followers of the last
    item.

    References:
        Rendle et al. 2010, which factorises the matrix to cover unseen pairs, https://doi.org/10.1145/1772690.1772773

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.next import Next
        >>> from unrolled.metrics.scoring import scores
        >>> clicks = Encoded(np.array([1, 2, 1, 2, 3, 1, 2]), np.array([0, 5, 7]))
        >>> items = Examples({"x": clicks}, {"x": Discrete(4)}, clicks, Discrete(4), Next(), first_item=1)
        >>> scores(Follower.fit(items).judge(items))["mrr"]
        0.9
    """

    name: ClassVar[str] = "follower"
    size: int
    pairs: np.ndarray  # (P,) int64, sorted: previous item · V + item
    counts: np.ndarray  # (P,) int64
    weights: np.ndarray  # (V,) float64 below 1, the popularity; 0 for special tokens

    @staticmethod
    def applies(examples: Examples) -> bool:
        return examples.first_item is not None

    @classmethod
    def fit(cls, train: Examples) -> Self:
        size, steps = classes(train), asked_values(train)
        values = target_of(train).values
        pairs, counts = np.unique(before(train, steps) * np.int64(size) + values[steps], return_counts=True)
        weights = np.bincount(values, minlength=size) / (1 + len(values))
        assert train.first_item is not None
        weights[: train.first_item] = 0
        kept = pairs % size >= train.first_item
        return cls(size, pairs[kept], counts[kept], weights)

    def judge(self, part: Examples) -> Iterable[Answers]:
        first = part.first_item
        assert first is not None
        values = target_of(part).values
        popular = places_of(self.weights[first:])

        def places(steps: np.ndarray) -> np.ndarray:
            right, last = values[steps].astype(np.int64), before(part, steps)
            own = self._scores(last, right[:, None])[:, 0]
            begins, ends = (np.searchsorted(self.pairs, (last + more) * self.size) for more in (0, 1))
            owner = np.repeat(np.arange(len(steps)), ends - begins)  # (F,), F followers of all questions end to end
            at = np.arange(len(owner)) - np.repeat(np.cumsum(ends - begins) - (ends - begins), ends - begins)
            at += begins[owner]
            weight = self.weights[self.pairs[at] % self.size]
            ahead = self.counts[at] + weight >= own[owner]  # followers with at least the same score
            others = own < 1  # the right item never followed the last one, so more popular items rank ahead
            place = np.bincount(owner, ahead, len(steps))
            doubled = np.bincount(owner, weight >= own[owner], len(steps))
            return place + np.where(others, popular[right - first] - doubled, 0)

        return [judged_places(part, places, lambda steps, items: self._scores(before(part, steps), items))]

    def _scores(self, last: np.ndarray, items: np.ndarray) -> np.ndarray:
        """(Q, C) scores of ``items`` (Q, C) after the items ``last`` (Q,)."""
        found = self.weights[items]
        if len(self.pairs):
            keys = last[:, None] * np.int64(self.size) + items
            at = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
            found += np.where(self.pairs[at] == keys, self.counts[at], 0)
        return found


MEMBER = Follower
