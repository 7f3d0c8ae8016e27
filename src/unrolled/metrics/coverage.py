"""Coverage: how often the actual value lies in the forecast interval."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Intervals
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Coverage"]


class Coverage:
    r"""The share of values that lie in their forecast intervals, including both ends.

    .. math:: \frac1N \sum_n [a_n \le y_n \le b_n]

    It should be close to the nominal coverage, which is reported beside it; neither more nor less is better.

    References:
        Gneiting, Balabdaoui and Raftery 2007, calibration. https://doi.org/10.1111/j.1467-9868.2007.00587.x

    Example:
        >>> intervals = Intervals(torch.zeros(2), torch.ones(2), torch.tensor([0.5, 2.0]), share=0.8)
        >>> Coverage().values(Coverage().sums(intervals))
        {'coverage': 0.5, 'coverage_nominal': 0.8}
    """

    judges: ClassVar[tuple[type, ...]] = (Intervals,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("coverage", "share", None, wanted="coverage_nominal"),
        Measure("coverage_nominal", "share", None),
    )

    def sums(self, judged: Intervals) -> Sums:
        inside = (judged.right >= judged.low) & (judged.right <= judged.high)
        nominal = torch.full_like(judged.right, judged.share, dtype=torch.float64)
        return known_mean("coverage", inside, judged.right) | known_mean("coverage_nominal", nominal, judged.right)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Coverage
