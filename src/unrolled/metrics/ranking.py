"""Ranking: where the right item stands among others, and what a list of the ten best is worth.

Axes: N questions, C candidates.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.base import Measure, Sums
from unrolled.metrics.judged import Ranks

__all__ = ["BEST", "Ranking", "ranks"]

BEST = 10  # how long a list of answers is
_SAMPLED = "_sampled"  # behind the name of a measure


def ranks(scores: Tensor, right: Tensor) -> Tensor:
    r"""The place of each right candidate, from 1: :math:`r_n = |\{c : \neg(s_{nc} < s_{n y_n})\}|`.

    Ties, and scores that are NaN, count against it: a model that scores all alike puts every answer last.

    Args:
        scores: of every candidate, the right one among them.
        right: which it is.

    Shape:
        scores (N, C) float, right (N,) int64 in [0, C) -> (N,) int64 in [1, C].

    Cost: N·C comparisons.

    Example:
        >>> ranks(torch.tensor([[0.1, 0.7, 0.2], [5.0, 5.0, 5.0]]), torch.tensor([2, 0])).tolist()
        [2, 3]
    """
    return (~(scores < scores.gather(1, right[:, None]))).sum(1)


class Ranking:
    r"""Hit@10, NDCG@10 and the mean reciprocal rank of questions with one right answer each.

    .. math::
        \text{Hit@}k = \tfrac1N \textstyle\sum_n [r_n \le k], \quad
        \text{NDCG@}k = \tfrac1N \sum_n \frac{[r_n \le k]}{\log_2 (1 + r_n)}, \quad
        \text{MRR} = \tfrac1N \sum_n \frac1{r_n}

    ``…_sampled`` is among a sample of the candidates, as many papers report it.

    References:
        Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418

    Example:
        >>> ranking = Ranking()
        >>> found = ranking.values(ranking.sums(Ranks(torch.tensor([1.0, 4.0, float("inf"), 20.0]))))
        >>> {name: round(value, 3) for name, value in found.items()}
        {'hit_at_10': 0.5, 'ndcg_at_10': 0.358, 'mrr': 0.325}
    """

    judges: ClassVar[tuple[type, ...]] = (Ranks,)
    measures: ClassVar[tuple[Measure, ...]] = tuple(
        Measure(name + suffix, unit, "higher")
        for suffix in ("", _SAMPLED)
        for name, unit in ((f"hit_at_{BEST}", "share"), (f"ndcg_at_{BEST}", "gain"), ("mrr", "reciprocal rank"))
    )

    def sums(self, judged: Ranks) -> Sums:
        places, suffix = judged.places.double(), _SAMPLED if judged.sampled else ""
        near = places <= BEST
        gains = torch.where(near, 1 / torch.log2(1 + places), 0.0)
        each = {f"hit_at_{BEST}": near, f"ndcg_at_{BEST}": gains, "mrr": 1 / places}
        found: Sums = {}
        for name, worth in each.items():
            found |= ratio(name + suffix, worth.sum(), len(places))
        return found

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Ranking
