"""The steps of exponential smoothing in NumPy, in place, for many series and weights at once.

A step takes some twenty operations on few numbers, which NumPy does ten times as fast as torch.

Axes: L lanes (channels, or weights that are tried), R rows, M steps of a season.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["LEAST", "SHRINK", "Recurrence"]

SHRINK = 10.0  # the line through few values is flat: as if five more lay on a flat line
LEAST = 0.05  # a forecast falls at most to this share of its level where the trend is relative


class Recurrence:
    r"""The state of smoothing, which each value corrects; a missing value leaves it to its own course.

    .. math::
        e_t = y_t - (l_{t-1} + \phi b_{t-1} + s_{t-m}),\quad l_t = l_{t-1} + \phi b_{t-1} + \alpha_t e_t,\quad
        b_t = \phi b_{t-1} + \beta_t e_t,\quad s_t = s_{t-m} + \gamma_t e_t

    Args:
        weights: ``alpha``, ``beta``, ``gamma``, ``phi``, ``drift`` and ``relative`` of a `Smoother`, each (L,).
        state: (2 + M, L, R), level, trend and season; it is changed.
        line: (5, L, R), of the line through all values (see `Smoothed`); it is changed. ``None`` without one.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], state: np.ndarray, line: np.ndarray | None) -> None:
        names = ("alpha", "beta", "gamma", "phi", "drift")
        self._alpha, self._beta, self._gamma, self._phi, self._drift = (weights[name][:, None] for name in names)
        self._state, self._line = state, line
        logs = np.flatnonzero(weights["relative"])
        at_end = len(logs) > 0 and logs[0] == len(weights["relative"]) - len(logs)
        self._logs = slice(logs[0], None) if at_end else logs  # a slice needs no copies
        self._relative = len(logs) > 0

    def advance(
        self, time: int | np.ndarray, value: np.ndarray, known: np.ndarray | None, early: np.ndarray | None
    ) -> np.ndarray:
        """One step: (L, R), the errors, 0 where the value is not known.

        Args:
            time: the steps since the first known value, of all rows or of each, (L, R).
            value: (L, R).
            known: (L, R) bool; ``None`` if all are.
            early: (2 + M, L, R or 1), how much more an error corrects this step; ``None`` for no more.
        """
        level, trend, season = self._state[0], self._state[1], self._state[2:]
        place = time % len(season)
        own = _at(season, place)
        self._draw(level, trend)
        error = value - level
        error -= own
        if known is not None:
            error = np.where(known, error, 0)
        level += self._alpha * error
        trend += self._beta * error
        own += self._gamma * error
        if isinstance(place, np.ndarray):
            np.put_along_axis(season, place[None], own[None], 0)
        if early is not None:
            self._state += early * error
        if self._line is not None:
            self._lengthen(self._line, time, value - _at(season, place), known)
        return error

    def _draw(self, level: np.ndarray, trend: np.ndarray) -> None:
        """Move level and trend one step on, before its value is known."""
        trend *= self._phi
        step = trend
        if self._line is not None:
            step = trend + self._drift * (self._line[4] / (self._line[3] + SHRINK))
        if not self._relative:
            level += step
            return
        moved, logs = step.copy(), self._logs
        moved[logs] = np.log1p(np.maximum(step[logs], LEAST - 1))
        level += moved
        trend[logs] /= np.maximum(1 + step[logs], LEAST)

    @staticmethod
    def _lengthen(line: np.ndarray, time: int | np.ndarray, value: np.ndarray, known: np.ndarray | None) -> None:
        """Add a value to the line (Welford's update)."""
        number, mean_time, mean, square, product = line
        late, missed = time - mean_time, value - mean
        number += 1 if known is None else known
        if known is not None:
            late, missed, value = (np.where(known, part, 0) for part in (late, missed, value))
        count = np.maximum(number, 1)
        mean_time += late / count
        mean += missed / count
        square += late * (time - mean_time)
        product += late * (value - mean)


def _at(season: np.ndarray, place: int | np.ndarray) -> np.ndarray:
    """(L, R), the step ``place`` of (M, L, R): a view if it is the same for all."""
    return season[place] if isinstance(place, int) else np.take_along_axis(season, place[None], 0)[0]
