"""sMAPE: the absolute error of forecasts, relative to forecast and actual value."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Forecasts
from unrolled.metrics.metric import Measure, Sums

__all__ = ["SMAPE"]


class SMAPE:
    r"""The symmetric mean absolute percentage error, computed in the user's units: at most 200, and 0 if both are 0.

    .. math:: \frac1N \sum_n \frac{200 |\hat y_n - y_n|}{|\hat y_n| + |y_n|}

    References:
        Makridakis, Spiliotis and Assimakopoulos, The M4 competition, 2020. https://doi.org/10.1016/j.ijforecast.2019.04.014

    Example:
        >>> forecasts = Forecasts(torch.ones(2, 1), torch.tensor([[3.0], [1.0]]), torch.zeros(1), torch.ones(1))
        >>> SMAPE().values(SMAPE().sums(forecasts))
        {'smape_percent': 50.0}
    """

    judges: ClassVar[tuple[type, ...]] = (Forecasts,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("smape_percent", "percent", "lower"),)

    def sums(self, judged: Forecasts) -> Sums:
        answer, right = (part.double() * judged.std + judged.mean for part in (judged.answer, judged.right))
        size = answer.abs() + right.abs()
        each = 200 * (answer - right).abs() / torch.where(size == 0, 1.0, size)
        return known_mean("smape_percent", each, judged.right)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = SMAPE
