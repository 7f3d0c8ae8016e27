"""Choosing a linear window among simple forecasts and ridge regressions, by its error on the last windows.

A map is (L + 1, H): ŷ_h = Σ_l w_lh x_l + w_Lh, with x_{L−1} the last known value. It predicts the level itself.

Axes: L steps of history, H horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from unrolled.errors import counted
from unrolled.solved._window_moments import Moments

__all__ = ["Choice", "choose", "drift", "lengths", "refit", "seasonal"]

_PENALTIES = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # relative to the mean square of an input
_HORIZONS = (1.0, 2.0, 3.5, 5.0)  # lengths in horizons
_DOUBT = 0.5  # relative to a squared error that one forecast has shown
_EARLIER = 4.0  # forecasts of the last part as which all earlier ones count
_LEAST = 1e-12


class Part(NamedTuple):
    """A linear window that was tried.

    Attributes:
        weights: (L + 1, H), the map.
        error: its mean squared error on the held-out windows.
        name: in words.
        base: the simple forecast towards which a ridge shrinks, itself a map; ``None`` for a simple forecast.
        penalty: λ of a ridge.
        shifts: of a ridge: a forecast moves with the level of its window.
    """

    weights: np.ndarray
    error: float
    name: str
    base: np.ndarray | None = None
    penalty: float = 0.0
    shifts: bool = False


class Choice(NamedTuple):
    """The mean of several maps, or one simple forecast.

    Attributes:
        parts: what it is the mean of.
        error: its mean squared error on the held-out windows.
    """

    parts: tuple[Part, ...]
    error: float

    @property
    def weights(self) -> np.ndarray:
        """(L + 1, H), as solved from the first windows."""
        return mean_of([part.weights for part in self.parts])

    @property
    def name(self) -> str:
        """What it is, in words."""
        if len(self.parts) == 1:
            return self.parts[0].name
        best = min(self.parts, key=lambda part: part.error)
        return f"mean of {len(self.parts)}, the best of them: {best.name}"


def lengths(horizon: int, season: int, most: int) -> list[int]:
    """The lengths to try, at most ``most``, in ascending order: powers of 2, some horizons, one and two seasons.

    Example:
        >>> lengths(6, 12, 40)
        [1, 2, 4, 6, 8, 12, 13, 16, 21, 24, 25, 30, 32, 40]
    """
    powers = [1 << n for n in range(most.bit_length())]
    seasons = [season, season + 1, 2 * season, 2 * season + 1] if season > 1 else []
    found = {*powers, *(int(part * horizon) for part in _HORIZONS), *seasons, most}
    return sorted(steps for steps in found if 1 <= steps <= most)


def choose(fit: Moments, held: Moments, grown: Moments, tried: list[int], season: int, origins: float) -> Choice:
    """The mean of the ridges that are about as good as the best one, if it is clearly better than a simple forecast.

    A simple forecast has nothing to solve, so earlier windows judge it too, where few are held out.

    Args:
        fit, held: the moments of the windows to solve from, and of those to choose by.
        grown: those of all windows that hold a season.
        tried: lengths.
        season: m, or 1.
        origins: about how many of the held-out windows do not overlap. The fewer they are, the more maps count as
            equally good, and the more better their mean has to be.
    """
    trust = origins / (origins + _EARLIER) if held.count else 0.0

    def error_of(weights: np.ndarray) -> float:
        late, all_ = (float(judged.last(len(weights) - 1).errors(weights).mean()) for judged in (held, grown))
        return trust * late + (1 - trust) * all_

    simple = min(_simple(len(held.yy), tried, season, error_of), key=lambda part: part.error)
    alone = Choice((simple,), simple.error)
    if not fit.count or not held.count:
        return alone
    ridges = list(_ridges(fit, held, tried, season))
    doubt = min(_DOUBT, _DOUBT / math.sqrt(max(1.0, origins)))
    most = (1 + doubt / 2) * min(part.error for part in ridges)
    parts = tuple(part for part in ridges if part.error <= most)
    weights = mean_of([part.weights for part in parts])
    mixed = Choice(parts, float(held.last(len(weights) - 1).errors(weights).mean()))
    known = held.last(len(simple.weights) - 1).errors(simple.weights).mean()
    return mixed if mixed.error < (1 - doubt) * min(known, simple.error) else alone


def refit(choice: Choice, fit: Moments, whole: Moments) -> np.ndarray:
    """(L + 1, H), the same mean, its ridges solved from the moments ``whole`` with what λ was to ``fit``."""
    maps = []
    for part in choice.parts:
        if part.base is None:
            maps.append(part.weights)
            continue
        penalty = part.penalty * fit.count / whole.count
        maps.append(_ridge(whole.last(len(part.weights) - 1), part.base, part.shifts, (penalty,))[0])
    return mean_of(maps)


def mean_of(maps: list[np.ndarray]) -> np.ndarray:
    """The mean of maps of windows of any lengths, a map of the longest of them."""
    steps = max(len(weights) for weights in maps) - 1
    return np.asarray(np.mean([_padded(weights, steps) for weights in maps], 0))


def seasonal(season: int, horizon: int) -> np.ndarray:
    """The map that repeats the last ``season`` steps; with 1, the last value.

    Example:
        >>> seasonal(2, 3).tolist()
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    weights = np.zeros((season + 1, horizon))
    weights[np.arange(horizon) % season, np.arange(horizon)] = 1.0
    return weights


def drift(steps: int, horizon: int) -> np.ndarray:
    """The map that goes on along the line from the first to the last of ``steps`` values.

    Example:
        >>> drift(3, 2).tolist()
        [[-0.5, -1.0], [0.0, 0.0], [1.5, 2.0], [0.0, 0.0]]
    """
    weights = np.zeros((steps + 1, horizon))
    slope = np.arange(1, horizon + 1) / (steps - 1)
    weights[0], weights[steps - 1] = -slope, 1 + slope
    return weights


def level(steps: int, horizon: int) -> np.ndarray:
    """The map whose forecast is the mean of ``steps`` values.

    Example:
        >>> level(2, 1).tolist()
        [[0.5], [0.5], [0.0]]
    """
    weights = np.full((steps + 1, horizon), 1 / steps)
    weights[-1] = 0.0
    return weights


def _simple(horizon: int, tried: list[int], season: int, error_of: Callable[[np.ndarray], float]) -> Iterator[Part]:
    maps = {"the last value": seasonal(1, horizon)}
    if 1 < season <= tried[-1]:
        maps[f"the last {counted(season, 'step')} again"] = seasonal(season, horizon)
    for steps in tried:
        if steps > 1:
            maps[f"the mean of {counted(steps, 'step')}"] = level(steps, horizon)
        if steps > max(2, horizon):  # a shorter one follows noise
            maps[f"the drift over {counted(steps, 'step')}"] = drift(steps, horizon)
    yield from (Part(weights, error_of(weights), name) for name, weights in maps.items())


def _ridges(fit: Moments, held: Moments, tried: list[int], season: int) -> Iterator[Part]:
    horizon = len(held.yy)
    for steps in tried:
        known, judged = fit.last(steps), held.last(steps)
        bases = [("levels", np.zeros((steps + 1, horizon)), False)]
        bases.append(("changes from the last value", _padded(seasonal(1, horizon), steps), True))
        if 1 < season <= steps:
            bases.append(("changes from the last season", _padded(seasonal(season, horizon), steps), True))
        for of, base, shifts in bases:
            solved = _ridge(known, base, shifts, _PENALTIES)
            errors = [float(judged.errors(weights).mean()) for weights in solved]
            best = int(np.argmin(errors))
            name = f"{of} of {counted(steps, 'step')}"
            yield Part(solved[best], errors[best], name, base, _PENALTIES[best], shifts)


def _ridge(moments: Moments, base: np.ndarray, shifts: bool, penalties: tuple[float, ...]) -> list[np.ndarray]:
    """The maps W that minimise Σ|y − Wᵀx|² + λ|W − base|², without a penalty on the constant, one for each λ.

    With ``shifts`` the weights of each step ahead sum to those of ``base``: x_l − x_last are the inputs.
    """
    steps = len(moments.xx) - 2 if shifts else len(moments.xx) - 1  # without the constant
    xx, xy = moments.xx, moments.xy - moments.xx @ base
    if shifts:
        xx = xx - xx[:, -2:-1] * _inputs(steps)
        xx = xx - _inputs(steps)[:, None] * xx[-2:-1]
        xy = xy - _inputs(steps)[:, None] * xy[-2:-1]
        kept = np.delete(np.arange(steps + 2), steps)
        xx, xy = xx[np.ix_(kept, kept)], xy[kept]
    unit = max(float(np.trace(xx[:steps, :steps])) / max(1, steps), _LEAST)
    found = []
    for penalty in penalties:
        diagonal = np.append(np.full(steps, penalty * unit), _LEAST * max(1, moments.count))
        change = np.linalg.solve(xx + np.diag(diagonal), xy)
        if shifts:
            change = np.insert(change, steps, -change[:steps].sum(0), axis=0)
        found.append(base + change)
    return found


def _inputs(steps: int) -> np.ndarray:
    """1 for each input before the last value, 0 for the last value and the constant."""
    return np.append(np.ones(steps), [0.0, 0.0])


def _padded(weights: np.ndarray, steps: int) -> np.ndarray:
    """The same map of a window of ``steps`` steps."""
    return np.pad(weights, ((steps + 1 - len(weights), 0), (0, 0)))
