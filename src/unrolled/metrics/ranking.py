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

__all__ = ["BEST", "SAMPLED", "Ranking", "ranking_metrics", "ranking_sums", "ranks"]

BEST = 10  # how long a list of answers is
SAMPLED = "_sampled"  # behind the name of a metric: among 100 items that the row does not hold


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


def ranking_sums(places: Tensor, suffix: str = "") -> dict[str, Tensor]:
    """What questions add to the metrics of `ranking_metrics`; entries are summed over batches.

    Args:
        places: (N,) from 1, of any dtype; infinite where the right item is none that could be answered.
        suffix: tells the candidates apart, such as `SAMPLED`.
    """
    places = places.double()
    near = places <= BEST
    return {
        f"hit{suffix}": near.sum(),
        f"gain{suffix}": torch.where(near, 1 / torch.log2(1 + places), 0.0).sum(),
        f"reciprocal{suffix}": (1 / places).sum(),
        f"ranked{suffix}": torch.tensor(len(places)),
    }


def ranking_metrics(sums: dict[str, Tensor], suffix: str = "") -> dict[str, float]:
    r"""Hit@10, NDCG@10 and the mean reciprocal rank of questions with one right answer each.

    .. math::
        \text{Hit@}k = \tfrac1N \textstyle\sum_n [r_n \le k], \quad
        \text{NDCG@}k = \tfrac1N \sum_n \frac{[r_n \le k]}{\log_2 (1 + r_n)}, \quad
        \text{MRR} = \tfrac1N \sum_n \frac1{r_n}

    Args:
        sums: of `ranking_sums`, over all batches; without an entry of ``suffix`` there is no metric.
        suffix: that of the entries, and of the metrics' names.

    References:
        Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418

    Example:
        >>> sums = ranking_sums(torch.tensor([1.0, 4.0, float("inf"), 20.0]))
        >>> {name: round(value, 3) for name, value in ranking_metrics(sums).items()}
        {'hit_at_10': 0.5, 'ndcg_at_10': 0.358, 'mrr': 0.325}
    """
    count = float(sums.get(f"ranked{suffix}", 0))
    if not count:
        return {}
    names = {"hit": f"hit_at_{BEST}", "gain": f"ndcg_at_{BEST}", "reciprocal": "mrr"}
    return {f"{name}{suffix}": float(sums[f"{part}{suffix}"]) / count for part, name in names.items()}


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
        for suffix in ("", SAMPLED)
        for name, unit in ((f"hit_at_{BEST}", "share"), (f"ndcg_at_{BEST}", "gain"), ("mrr", "reciprocal rank"))
    )

    def sums(self, judged: Ranks) -> Sums:
        places, suffix = judged.places.double(), SAMPLED if judged.sampled else ""
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
