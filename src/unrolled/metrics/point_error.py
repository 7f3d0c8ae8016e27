"""Point errors: mean squared and mean absolute error of predicted numbers."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Forecasts, NextValues, Values
from unrolled.metrics.metric import Measure, Sums

__all__ = ["PointError"]

_REPORTED: dict[type, tuple[str, ...]] = {
    Values: ("mse_scaled", "mse", "mae"),
    NextValues: ("mse_scaled", "mae_scaled"),
    Forecasts: ("mse_scaled", "mae_scaled", "mae"),
}


class PointError:
    r"""The mean squared and the mean absolute error.

    .. math:: \text{MSE} = \frac1N \sum_n (\hat y_n - y_n)^2, \quad \text{MAE} = \frac1N \sum_n |\hat y_n - y_n|

    ``…_scaled`` is in units of each channel's standard deviation in training, as papers report it; the others are in
    the user's units, averaged over channels.

    References:
        Hyndman and Koehler 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001

    Example:
        >>> import torch
        >>> numbers = Values(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([1.0, 1.0, torch.nan]), std=10.0)
        >>> PointError().values(PointError().sums(numbers))
        {'mse_scaled': 2.0, 'mse': 200.0, 'mae': 10.0}
    """

    judges: ClassVar[tuple[type, ...]] = (Values, NextValues, Forecasts)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("mse_scaled", "squared training standard deviations", "lower", "back"),
        Measure("mse", "squared units of the target", "lower"),
        Measure("mae_scaled", "training standard deviations", "lower", "back"),
        Measure("mae", "units of the target", "lower", "front"),
    )

    def sums(self, judged: Values | NextValues | Forecasts) -> Sums:
        scaled = judged.answer.double() - judged.right.double()
        units = scaled if isinstance(judged, NextValues) else scaled * judged.std
        found: Sums = {}
        for name in _REPORTED[type(judged)]:
            error = scaled if name.endswith("_scaled") else units
            found |= known_mean(name, error.square() if name.startswith("mse") else error.abs(), judged.right)
        return found

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = PointError
