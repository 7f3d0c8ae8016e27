"""MASE: the absolute error of forecasts relative to repeating the last season.

Axes: N forecasts, C channels, S series.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics.judged import Seasonal
from unrolled.metrics.metric import Measure, Sums

__all__ = ["MASE"]


class MASE:
    r"""The mean absolute scaled error; at 1 the error equals that of repeating the last season in the past.

    .. math:: \frac1S \sum_s
        \frac{\text{mean over forecasts } |\hat y_{s,n} - y_{s,n}|}{\text{mean over the past } |y_{s,t} - y_{s,t-m}|}

    The error of each series is divided by that of the repetition in its own past, and the mean is over series, so a
    series of small numbers counts as much as one of large numbers. Each channel counts as a series.

    References:
        Hyndman and Koehler 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001

    Example:
        >>> answer, right, series = torch.ones(2, 1), torch.tensor([[3.0], [11.0]]), torch.tensor([0, 1])
        >>> forecasts = Seasonal(answer, right, series, naive=torch.tensor([[4.0], [10.0]]))
        >>> MASE().values(MASE().sums(forecasts))
        {'mase': 0.75}
    """

    judges: ClassVar[tuple[type, ...]] = (Seasonal,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("mase", "errors of repeating the last season in the past", "lower"),
    )

    def sums(self, judged: Seasonal) -> Sums:
        error = (judged.answer.double() - judged.right.double()).abs()  # (N, …, C)
        known = ~judged.right.isnan()
        middle = tuple(range(1, error.dim() - 1))
        errors, counts = torch.where(known, error, 0.0), known.double()
        if middle:
            errors, counts = errors.sum(middle), counts.sum(middle)  # (N, C)
        scale = judged.naive.double()  # (S, C)
        nothing, comparable = torch.zeros_like(scale), ~scale.isnan()
        scaled = nothing.index_add(0, judged.series, errors) / scale
        count = nothing.index_add(0, judged.series, counts)
        return {"scaled": torch.where(comparable, scaled, 0.0), "count": torch.where(comparable, count, 0.0)}

    def values(self, sums: Sums) -> dict[str, float]:
        asked = sums["count"] > 0
        each = sums["scaled"][asked] / sums["count"][asked]
        return {"mase": float(each.mean())} if len(each) else {}


MEMBER = MASE
