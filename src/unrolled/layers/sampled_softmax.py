"""Sampled softmax: sample some of very many symbols with known probabilities. Axes: V symbols, K wanted, S sampled."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CandidateSampler"]


class CandidateSampler:
    r"""Sample about K of V symbols, frequent ones more often, to estimate a sum over all of them.

    ::

        π_v = min(1, c · w_v), Σ π_v = K: the symbols lie side by side on a line of length K, the heaviest first;
        one point is drawn in each of its K unit intervals, and S is the set of symbols hit.

    A symbol within one interval is in S with the probability p_v = π_v; one that crosses a border, with parts a and b,
    with 1 − (1 − a)(1 − b). So :math:`\sum_{v \in S} f_v / p_v` is an unbiased estimate of :math:`\sum_v f_v` for any f
    (Horvitz and Thompson); with K = V it is exact.

    Args:
        weights: (V,) > 0, the approximate share of each symbol in the sum.
        size: K ≥ 1; values above V mean V.

    Cost:
        20 bytes per symbol; a draw is O(K log V).

    References:
        Horvitz and Thompson 1952, https://doi.org/10.1080/01621459.1952.10483446

    Example:
        >>> sampler = CandidateSampler(torch.tensor([0.1, 0.8, 0.1]), 2)
        >>> sampler.chances.tolist()
        [0.5, 1.0, 0.5]
        >>> len(sampler.draw()[0])
        2
    """

    def __init__(self, weights: Tensor, size: int) -> None:
        size = min(size, len(weights))
        sorted_weights, order = weights.double().cpu().sort(descending=True, stable=True)
        left = sorted_weights.flip(0).cumsum(0).flip(0)  # of this and all lighter ones
        places = size - torch.arange(len(weights), dtype=torch.float64)
        sure = int((places * sorted_weights >= left).long().cumprod(0).sum())
        share = torch.ones_like(sorted_weights)
        if sure < len(share):
            share[sure:] = ((size - sure) * sorted_weights[sure:] / left[sure]).clamp(max=1)
        self._ends, self._order = share.cumsum(0), order
        start = self._ends - share
        border = start.floor() + 1
        beyond = (self._ends - border).clamp(min=0)
        chances = 1 - (1 - (share - beyond)) * (1 - beyond)
        self.size = size
        self._generator: torch.Generator | None = None
        self.chances = torch.empty(len(order)).scatter_(0, order, chances.float())

    def reseed(self, seed: int) -> None:
        """Draw by ``seed`` from here on, not by torch's global generator."""
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self) -> tuple[Tensor, Tensor]:
        """(S,) int64, each symbol once, and (S,) float32, their probabilities."""
        points = torch.arange(self.size) + torch.rand(self.size, dtype=torch.float64, generator=self._generator)
        hit = torch.searchsorted(self._ends, points, right=True).clamp(max=len(self._order) - 1)
        ids = self._order[torch.unique_consecutive(hit)]  # points increase, so repetitions are neighbours
        return ids, self.chances[ids]
