"""Intervals around point forecasts, measured on the errors of held-out forecasts (split conformal prediction).

The width at each step ahead is the size of errors there times a quantile of all errors relative to it. Errors of one
forecast are alike, and forecasts of neighbouring steps overlap, so a validation split may hold the worth of one or two
independent errors. The fewer there are, the more the sizes follow those of simple forecasts of the training split.

Axes: N forecasts, H horizon, C channels, K steps ahead at which widths are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from torch import Tensor

from unrolled.baselines._arrays import target_of
from unrolled.baselines._forecasts import answered_windows, known_so_far, means
from unrolled.baselines._season import repeating
from unrolled.baselines._subsample import for_fitting
from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.tasks._spread import growth, independent

__all__ = ["SHARE", "Errors", "HeldErrors", "Widths", "errors_of_simple_forecasts", "window_spread"]

SHARE = 0.8  # of the values that an interval holds
_GAUSSIAN = 1.2815515655446004  # half the width of such an interval of a Gaussian, in deviations
_KNOTS = 24  # steps ahead at which widths are kept
_CELLS = 4_000_000  # errors of simple forecasts
_MOST_LEARNED = 10_000_000  # numbers of the training split from which they are measured
_MOST_HELD = 20_000_000  # errors of the validation split
_PRIOR = 2.0  # independent errors as which the training split counts
_MANY = 50.0  # independent errors from which both sides are measured apart
_BELOW, _ABOVE = "interval_below", "interval_above"
_DOUBT = 1.0  # how much wider intervals of one independent error are; less with the square of their number
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """How far intervals reach below and above the point forecast.

    Shape:
        below, above: (H, C) float64 ≥ 0, in the units in which the model predicts.
    """

    below: np.ndarray
    above: np.ndarray

    @classmethod
    def kept(cls, curves: Mapping[str, tuple[float, ...]], horizon: int, channels: int) -> Self | None:
        """From the inverse of `curves`; ``None`` where there are none.

        Raises:
            ValueError: there is another number of them.
        """
        if _BELOW not in curves or _ABOVE not in curves:
            return None
        at, all_ = _knots(horizon), np.arange(horizon)
        sides = (np.array(curves[name], np.float64).reshape(channels, len(at)) for name in (_BELOW, _ABOVE))
        return cls(*(np.stack([np.interp(all_, at, row) for row in side], 1) for side in sides))

    def curves(self) -> dict[str, tuple[float, ...]]:
        """The widths at the steps that are kept, channel by channel."""
        at = _knots(len(self.below))
        sides = {_BELOW: self.below, _ABOVE: self.above}
        return {name: tuple(float(f"{width:.6g}") for width in side[at].T.flat) for name, side in sides.items()}


class Errors(NamedTuple):
    """How far simple forecasts of the training split are off.

    Attributes:
        sizes: (H, C), the root of the mean squared error at each step ahead.
        together: (C,) from 1 to H, how many errors of one forecast count as one.
    """

    sizes: np.ndarray
    together: np.ndarray

    def widths(self) -> Widths:
        """Intervals around a forecast that is as good as these."""
        return Widths(_GAUSSIAN * self.sizes, _GAUSSIAN * self.sizes)


def errors_of_simple_forecasts(train: Examples, season: int) -> Errors | None:
    """Those of the best of the last value, the last season and the mean, by channel; ``None`` without any window.

    Args:
        train: the training split.
        season: m, or 1.
    """
    train = for_fitting(train, _MOST_LEARNED)
    otherwise = means(train)
    known, channels = known_so_far(train, otherwise), len(otherwise)
    windows = len(train.windows())
    stride = 1 + windows * train.horizon * channels // _CELLS
    while stride > 1 and season > 1 and math.gcd(stride, season) > 1:
        stride += 1
    periods = [1, season] if 1 < season < int(train.steps().max(initial=0)) - train.horizon else [1]
    simple = [repeating(known, period, train.horizon) for period in periods]
    found = [[right - answer for answer, right in answered_windows(train, each, stride)] for each in simple]
    found.append([right - otherwise for _, right in answered_windows(train, simple[0], stride)])
    errors = [np.concatenate(parts) if parts else np.zeros((0, train.horizon, channels)) for parts in found]
    if not len(errors[0]) or not np.isfinite(target_of(train).values).any():
        return None
    count = independent(windows, train.horizon, len(train.steps()))
    trust = count / (count + _PRIOR)
    errors = [e - trust * np.nansum(e, 0) / np.maximum(np.isfinite(e).sum(0), 1) for e in errors]  # a model learns it
    best = np.argmin([np.nansum(np.square(e), (0, 1)) for e in errors], 0)  # (C,)
    sizes, together = [], []
    for c in range(channels):
        own = errors[best[c]][..., c]
        sizes.append(growth(own, count))
        together.append(_together(own / np.maximum(sizes[-1], _LEAST)))
    return Errors(np.stack(sizes, 1), np.array(together))


class HeldErrors:
    """The errors of forecasts of the validation split, evenly thinned where they are very many.

    Attributes:
        forecasts: how many were added.
    """

    def __init__(self) -> None:
        self.forecasts = 0
        self._parts: list[np.ndarray] = []
        self._series: set[int] = set()
        self._every = 1

    def add(self, errors: np.ndarray, rows: Sequence[int]) -> None:
        """Add right less predicted, (B, H, C), NaN where the right value is missing, and the series of each (B,)."""
        self._series |= {*rows}
        self._parts.append(errors[-self.forecasts % self._every :: self._every])
        self.forecasts += len(errors)
        while sum(part.size for part in self._parts) > _MOST_HELD:
            self._parts, self._every = [np.concatenate(self._parts)[::2]], 2 * self._every

    def widths(self, before: Errors | None, scaled: bool) -> Widths:
        r"""The widths of intervals that hold 80 % of new values like these.

        Args:
            before: the errors of simple forecasts of the training split; ``None`` where there are none.
            scaled: False where ``before`` is in other units, and only shows how errors grow.

        The width is the :math:`(1 + 1/n) \cdot 0.8` quantile of the n independent errors, relative to their sizes.

        References:
            Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2018. https://doi.org/10.1080/01621459.2017.1307116
        """
        errors = np.concatenate(self._parts)
        horizon, channels = errors.shape[1:]
        origins = independent(self.forecasts, horizon, len(self._series))
        below, above = np.zeros((2, horizon, channels))
        for c in range(channels):
            own = errors[..., c]
            law = None if before is None else before.sizes[:, c]
            size = growth(own, origins, law)
            together = _together(own / np.maximum(size, _LEAST))
            if before is not None:
                together = (origins * together + float(before.together[c])) / (origins + 1)
            count = max(1.0, origins * horizon / together)
            if law is not None and scaled:
                trust = count / (count + _PRIOR)
                size = size * math.sqrt(trust + (1 - trust) * (_level(law) / _level(size)) ** 2)
            low, high = _quantiles(own / np.maximum(size, _LEAST), count)
            below[:, c], above[:, c] = low * size, high * size
        return Widths(below, above)


def _quantiles(relative: np.ndarray, count: float) -> tuple[float, float]:
    """How far intervals reach below and above, in sizes of the errors."""
    known = relative[~np.isnan(relative)]
    if count < _MANY:
        both = _GAUSSIAN if not len(known) else float(np.quantile(np.abs(known), SHARE))
        trust = count / (count + _PRIOR)
        both = (trust * both + (1 - trust) * _GAUSSIAN) * (1 + _DOUBT / count**2)
        return both, both
    tail = (1 + SHARE) / 2
    return max(0.0, _quantile(-known, tail, count)), max(0.0, _quantile(known, tail, count))


def _quantile(values: np.ndarray, share: float, count: float) -> float:
    return float(np.quantile(values, min(1.0, share * (1 + 1 / count))))


def _together(relative: np.ndarray) -> float:
    """How many of the H errors of a forecast (N, H) count as one: 1 if they are independent, H if they are the same."""
    known = ~np.isnan(relative)
    values = np.where(known, relative, 0.0)
    total = float(np.square(values).sum())
    if total <= 0:
        return 1.0
    alike = float(np.square(values.sum(1)).sum()) / total
    return min(max(alike, 1.0), float(relative.shape[1]))


def _level(sizes: np.ndarray) -> float:
    return max(_LEAST, float(np.sqrt(np.square(sizes).mean())))


def window_spread(batch: Batch, like: Tensor) -> Tensor:
    """(B, 1, C) the scale of each window, or 1."""
    return like.new_ones(1, 1, 1) if batch.scale is None else batch.scale[:, 1, None]


def _knots(horizon: int) -> np.ndarray:
    """Steps ahead from 0: all of the first, then ever fewer."""
    if horizon <= _KNOTS:
        return np.arange(horizon)
    return np.unique(np.round(np.geomspace(1, horizon, _KNOTS)).astype(np.int64)) - 1
