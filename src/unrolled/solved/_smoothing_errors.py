"""The errors of exponential smoothing with many sets of weights, over series that are read from their first values.

It is the recurrence of `_smoothing.advance` without what only a live state needs: all rows are at the same step.

Axes: R series, N steps, L lanes, T early steps, M steps of a season.
"""

from __future__ import annotations

import numpy as np

from unrolled.solved._smoothing import LEAST, SHRINK, Smoother

__all__ = ["squares"]


def squares(weights: Smoother, lanes: np.ndarray, values: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The sums of squared errors after the first step, each error in units of its own variance.

    Args:
        weights: the weights of all lanes.
        lanes: which of them to run, (L,) int; either all of them are relative, or none.
        values: (R, N), NaN where a value is missing; no series begins with NaN.
        variance: (lanes, T) of the first errors.

    Returns:
        (L,).

    Cost: some twenty operations on (L, R) a step, and one on (2 + M, L, R) in the first T.
    """
    alpha, beta, gamma, phi, drift = (
        getattr(weights, name).numpy()[lanes, None] for name in ("alpha", "beta", "gamma", "phi", "drift")
    )
    relative, early = bool(weights.relative[lanes].any()), weights.early.numpy()[lanes].transpose(1, 2, 0)[..., None]
    line = _Lines((len(lanes), len(values))) if drift.any() else None
    state = np.zeros((early.shape[1], len(lanes), len(values)))  # (2 + M, L, R)
    level, trend, season = state[0], state[1], state[2:]
    known, shown = ~np.isnan(values), np.nan_to_num(values)
    total, spread = np.zeros(len(lanes)), 1 / variance[lanes]
    for t in range(values.shape[1]):
        own = season[t % len(season)]
        trend *= phi
        step = trend if line is None else trend + drift * line.slope()
        if relative:
            level += np.log1p(np.maximum(step, LEAST - 1))
            trend /= np.maximum(1 + step, LEAST)
        else:
            level += step
        error = shown[:, t] - level
        error -= own
        if not known[:, t].all():
            error *= known[:, t]
        level += alpha * error
        trend += beta * error
        own += gamma * error
        if t < len(early):
            state += early[t] * error
        if line is not None:
            line.add(t, shown[:, t] - own, known[:, t])
        if t:
            square = np.einsum("lr,lr->l", error, error)
            total += square * spread[:, t] if t < spread.shape[1] else square
    return total


class _Lines:
    """The least-squares line through the values of each series less their season, grown value by value (Welford)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._number, self._time, self._square = np.zeros((3, shape[1]))
        self._mean, self._product = np.zeros((2, *shape))

    def slope(self) -> np.ndarray:
        """(L, R), shrunk towards 0 while few values are known."""
        return self._product / (self._square + SHRINK)

    def add(self, time: int, value: np.ndarray, known: np.ndarray) -> None:
        """One more value of each series that is known."""
        self._number += known
        number = np.maximum(self._number, 1)
        late, missed = known * (time - self._time), value - self._mean
        self._time += late / number
        self._mean += missed * (known / number)
        self._square += late * (time - self._time)
        self._product += late * (value - self._mean)
