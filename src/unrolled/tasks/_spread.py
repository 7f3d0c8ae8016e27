"""How far forecasts are off at each step ahead, measured on few origins or many.

Errors of one origin are alike, and those of neighbouring origins overlap, so few origins say little about each step
alone: the width then follows a smooth law of the step ahead.

Axes: N forecasts of single channels, H horizon, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["growth", "independent", "power_law", "step_quantiles"]

_TRUST = 10.0  # independent forecasts from which the errors of a step weigh as much as the law
_STEEPEST = 2.0  # the power of the squared error: 1 is that of a random walk
_LEAST = 1e-12


def independent(forecasts: int, horizon: int, series: int = 1) -> float:
    """About how many of the forecasts of so many series do not overlap.

    Example:
        >>> independent(13, 12), independent(24, 12, series=2)
        (2.0, 3.83...)
    """
    return max(1, series) + max(0, forecasts - series) / horizon


def growth(errors: np.ndarray, count: float, law: np.ndarray | None = None) -> np.ndarray:
    """(H,) the root of the mean squared error at each step ahead, drawn to a smooth law where there are few forecasts.

    Args:
        errors: (N, H); NaN where the right value is missing.
        count: how many forecasts are independent.
        law: (H,) what the errors are in proportion to; by default a power of the step ahead.

    Example:
        >>> growth(np.array([[1.0, 2.0], [-1.0, -2.0]]), count=1e6).round(3).tolist()
        [1.0, 2.0]
    """
    known = ~np.isnan(errors)
    squares = np.where(known, errors, 0.0).astype(np.float64) ** 2
    seen = known.sum(0)
    if not seen.any():
        return np.ones(errors.shape[1]) if law is None else law
    overall = max(_LEAST, float(squares.sum() / seen.sum()))
    each = np.where(seen > 0, squares.sum(0) / np.maximum(seen, 1), overall)
    each = np.maximum(each, 1e-6 * overall)
    shape = power_law(each) if law is None else np.maximum(law, _LEAST) ** 2
    shape = shape * overall / max(_LEAST, float((shape * seen).sum() / seen.sum()))
    trust = count / (count + _TRUST)
    return np.sqrt(trust * each + (1 - trust) * shape)


def power_law(squares: np.ndarray) -> np.ndarray:
    """(H,) a·h^b, fitted to mean squared errors at the steps ahead h = 1 … H, with b from 0 to 2.

    Example:
        >>> power_law(np.array([1.0, 2.0, 3.0])).round(3).tolist()
        [1.0, 2.0, 3.0]
    """
    x, y = np.log(np.arange(1, len(squares) + 1)), np.log(squares)
    apart = x - x.mean()
    slope = float(apart @ y / max(_LEAST, apart @ apart))
    return np.asarray(np.exp(y.mean() + min(max(slope, 0.0), _STEEPEST) * apart))


def step_quantiles(errors: np.ndarray, levels: Sequence[float], count: float) -> np.ndarray:
    """(H, Q) quantiles of the errors at each step ahead: the `growth` times the quantiles of all errors relative to it.

    Args:
        errors, count: as for `growth`.
        levels: each in (0, 1).
    """
    width = growth(errors, count)
    relative = errors / width
    relative = relative[~np.isnan(relative)]
    if not len(relative):
        return np.zeros((errors.shape[1], len(levels)))
    return width[:, None] * np.quantile(relative, levels)
