"""Exponential smoothing, which forecasts from a level, a trend and a season that each new value corrects."""

from __future__ import annotations

from typing import ClassVar

from unrolled.config import Part
from unrolled.solved._smoothing_fit import Data, Tried, tried
from unrolled.solved._smoothing_model import SmoothingModel

__all__ = ["ExponentialSmoothing"]


class ExponentialSmoothing(SmoothingModel):
    r"""Exponential smoothing of each channel, the form and its weights chosen by AICc.

    .. math::
        e_t = y_t - (l_{t-1} + \phi b_{t-1} + s_{t-m}),\quad l_t = l_{t-1} + \phi b_{t-1} + \alpha e_t,\quad
        b_t = \phi b_{t-1} + \beta e_t,\quad s_t = s_{t-m} + \gamma e_t

    The forecast is :math:`l_t + (\phi + \dots + \phi^h) b_t + s_{t+h-m}`. Forms: trend none, additive or damped; season
    none or additive; and, where all values are positive, season and error that multiply: the same recurrence over
    logarithms, with a trend that is straight in the values themselves. With :math:`\alpha = 1` and without trend and
    season it is the last value, and with a fixed trend (:math:`\beta \to 0`) the drift.

    A window's first state is not known. It is a draw whose spread training shows, so the first errors correct it more,
    by the exact gains of the Kalman filter; after a lookback only :math:`\alpha, \beta, \gamma` are left. Up to 16
    channels each have their own form; more share one.

    The package needs no library for this: statsforecast, the best kept, brings pandas, scipy, statsmodels and
    cloudpickle, 300 MB in all, fits each series from its beginning, and has no step.

    Applies to: forecasts, from 6 known values on.

    Cost: solving about O(200 (N + T M W)) per channel, for at most 60 000 values, T steps of lookback, M of a season
    and W ≤ 34; a step is O(M) while it is young, then O(1).

    References:
        Hyndman, Koehler, Ord and Snyder, Forecasting with Exponential Smoothing, 2008.
        de Jong, 1991 (a first state that is not known). https://doi.org/10.1214/aos/1176348139
    """

    name: ClassVar[str] = "exponential smoothing"

    class Options(Part):
        """Sizes that the data decides: the steps of a season, those with their own correction, sets of weights."""

        period: int | None = None
        early: int | None = None
        lanes: int | None = None

    @classmethod
    def forms(cls, data: Data, period: int) -> list[Tried]:
        """All of them."""
        seasons = (False, True) if period > 1 else (False,)
        trends = ("none", "additive", "damped")
        return [tried(trend, season, unit) for trend in trends for season in seasons for unit in data.values]


MEMBER = ExponentialSmoothing
