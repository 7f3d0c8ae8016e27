"""Ranking: the rank of the right item among others, and metrics of the top ten.

Axes: N questions, C candidates.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import Ranks
from unrolled.metrics.metric import Measure, Sums

__all__ = ["BEST", "Ranking", "ranks"]

BEST = 10  # items in a list of answers
_SAMPLED = "_sampled"  # suffix of a measure's name


def ranks(scores: Tensor, right: Tensor) -> Tensor:
    r"""The rank of each right candidate, from 1: :math:`r_n = |\{c : \neg(s_{nc} < s_{n y_n})\}|`.

    Ties and NaN scores count against it: a model that gives all candidates the same score ranks every answer last.

    Args:
        scores: the score of every candidate, including the right one.
        right: the index of the right candidate.

    Shape:
        scores (N, C) float, right (N,) int64 in [0, C) -> (N,) int64 in [1, C].

    Cost: N·C comparisons.

    Example:
        >>> ranks(torch.tensor([[0.1, 0.7, 0.2], [5.0, 5.0, 5.0]]), torch.tensor([2, 0])).tolist()
        [2, 3]
    """
    return scores.shape[1] - (scores < scores.gather(1, right[:, None])).sum(1)


class Ranking:
    r"""Hit@10, NDCG@10 and the mean reciprocal rank of questions with one right answer each.

    .. math::
        \text{Hit@}k = \tfrac1N \textstyle\sum_n [r_n \le k], \quad
        \text{NDCG@}k = \tfrac1N \sum_n \frac{[r_n \le k]}{\log_2 (1 + r_n)}, \quad
        \text{MRR} = \tfrac1N \sum_n \frac1{r_n}

    ``…_sampled`` ranks among a sample of the candidates, as many papers do.

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
