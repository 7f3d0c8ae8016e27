"""The Theta method: smoothing without a trend, plus part of the slope of the line through all values."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from unrolled.config import Part
from unrolled.solved._smoothing_fit import Data, Tried, tried
from unrolled.solved._smoothing_model import SmoothingModel
from unrolled.solved._training_series import filled

__all__ = ["Theta"]

_QUANTILE = 1.645  # of a normal distribution: the season is tested at 90 %, as in the M competitions


class Theta(SmoothingModel):
    r"""The optimised Theta method, dynamic: the line is fitted anew with every value.

    .. math::
        \hat y_{t+h} = l_t + h (1 - 1/\theta) b_t + s_{t+h-m},\quad
        l_t = l_{t-1} + (1 - 1/\theta) b_{t-1} + \alpha e_t

    b is the slope of the least-squares line through all values so far, less their season, and shrunk towards 0 while
    they are few. :math:`\theta = 2` takes half of it, which is the method that won the M3 competition; θ and α are
    those of the least AICc. The values have a season if the autocorrelation one season back is significant at 90 %;
    it multiplies where all values are positive and that is more likely. With
    :math:`\theta \to \infty` and :math:`\alpha = 1` it is the drift.

    Applies to: forecasts, from 6 known values on.

    Cost: as for exponential smoothing; a step has one more line.

    References:
        Assimakopoulos and Nikolopoulos, 2000. https://doi.org/10.1016/S0169-2070(00)00066-2
        Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler, 2016. https://doi.org/10.1016/j.ijforecast.2016.02.005
    """

    name: ClassVar[str] = "theta"
    follows = True

    class Options(Part):
        """Sizes that the data decides: the steps of a season, those with their own correction, sets of weights."""

        period: int | None = None
        early: int | None = None
        lanes: int | None = None

    @classmethod
    def forms(cls, data: Data, period: int) -> list[Tried]:
        """Shares of the slope, with a season if one is found."""
        season = period > 1 and _repeats(data.values[False], period)
        return [tried("none", season, unit, drifts=True) for unit in data.values]


def _repeats(values: np.ndarray, period: int) -> bool:
    """True if the autocorrelation one season back is significant, given those of shorter lags, in most series."""
    series = [filled(z) for z in values]
    voted = [_significant(z, period) for z in series if len(z) >= 2 * period]
    return bool(voted) and float(np.mean(voted)) >= 0.5


def _significant(z: np.ndarray, period: int) -> bool:
    z = z - z.mean()
    total = max(float(z @ z), 1e-12)
    past = np.array([z[lag:] @ z[:-lag] for lag in range(1, period + 1)]) / total
    return bool(past[-1] > _QUANTILE * np.sqrt((1 + 2 * np.square(past[:-1]).sum()) / len(z)))


MEMBER = Theta
