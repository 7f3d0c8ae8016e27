r"""What is reported of forecasts beside their errors: elementwise, without torch.

Each function gives an array of the target's shape, NaN where the target is NaN; the mean of what is known is reported.

Axes: N values of any shape, Q quantiles.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["gaussian_crps", "percent_off", "quantile_crps"]

_erf = np.frompyfunc(math.erf, 1, 1)


def percent_off(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""The symmetric percentage error, whose mean is sMAPE: :math:`200 |y - \hat y| / (|y| + |\hat y|)`.

    0 where both are 0; 200 at most.

    Args:
        prediction: the answers, in the data's own units.
        target: the right ones; NaN stays NaN.

    Shape:
        Both (N,), or what broadcasts to it; float.

    Cost: O(N).

    References:
        Makridakis, Spiliotis and Assimakopoulos, The M4 competition, 2020. https://doi.org/10.1016/j.ijforecast.2019.04.014

    Example:
        >>> percent_off(np.array([1.0, 0.0]), np.array([3.0, 0.0]))
        array([100.,   0.])
    """
    size = np.abs(target) + np.abs(prediction)
    return np.asarray(200 * np.abs(target - prediction) / np.where(size == 0, 1.0, size))


def gaussian_crps(mean: np.ndarray, sigma: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""The continuous ranked probability score of a Gaussian, :math:`\int (F(x) - [x \ge y])^2 dx`, in closed form.

    .. math:: \sigma \left( z (2 \Phi(z) - 1) + 2 \varphi(z) - 1 / \sqrt\pi \right), \quad z = (y - \mu) / \sigma

    It is in units of the target; of a forecast without spread it is the absolute error.

    Args:
        mean: μ.
        sigma: σ > 0.
        target: y; NaN stays NaN.

    Shape:
        All (N,), or what broadcasts to it; float.

    Cost: O(N), a third of a microsecond a value.

    References:
        Gneiting and Raftery 2007, https://doi.org/10.1198/016214506000001437

    Example:
        >>> round(float(gaussian_crps(np.array(0.0), np.array(1.0), np.array(0.0))), 4)
        0.2337
    """
    z = (target - mean) / sigma
    twice = np.asarray(_erf(z / math.sqrt(2)), np.float64)  # 2 Φ(z) − 1
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return np.asarray(sigma * (z * twice + 2 * density - 1 / math.sqrt(math.pi)))


def quantile_crps(quantiles: np.ndarray, values: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""The same score as far as quantiles tell it: twice the mean of their pinball losses.

    .. math:: \frac2Q \sum_q \max(q (y - \hat y_q), (q - 1) (y - \hat y_q))

    The score is twice the integral of the pinball loss over q; the mean stands in for it, and is close where there are
    many quantiles at even distances. Of the median alone it is the absolute error.

    Args:
        quantiles: q, each in (0, 1).
        values: what is forecast for each.
        target: y; NaN stays NaN.

    Shape:
        quantiles (Q,), values (N, Q), target (N,); float.

    Cost: O(N Q).

    References:
        Gneiting and Ranjan 2011, https://doi.org/10.1198/jbes.2010.08110

    Example:
        >>> quantile_crps(np.array([0.5]), np.array([[1.0]]), np.array([4.0]))
        array([3.])
    """
    error = np.asarray(target)[..., None] - values
    return np.asarray(2 * np.maximum(quantiles * error, (quantiles - 1) * error).mean(-1))
