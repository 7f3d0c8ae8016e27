"""MASE: the absolute error of forecasts relative to repeating the last season."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Seasonal
from unrolled.metrics.metric import Measure, Sums

__all__ = ["MASE"]


class MASE:
    r"""The mean absolute scaled error; at 1 the error equals that of repeating the last season in training.

    .. math:: \frac1N \sum_n \frac{|\hat y_n - y_n|}{\text{mean over training of } |y_t - y_{t-m}|}

    References:
        Hyndman and Koehler 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001

    Example:
        >>> forecasts = Seasonal(torch.ones(2, 1), torch.tensor([[3.0], [1.0]]), naive=torch.tensor([4.0]))
        >>> MASE().values(MASE().sums(forecasts))
        {'mase': 0.25}
    """

    judges: ClassVar[tuple[type, ...]] = (Seasonal,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("mase", "errors of repeating the last season in training", "lower"),
    )

    def sums(self, judged: Seasonal) -> Sums:
        each = (judged.answer.double() - judged.right.double()).abs() / judged.naive
        return known_mean("mase", each, torch.where(judged.naive.isnan(), torch.nan, judged.right))

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = MASE
