"""The errors of exponential smoothing with many sets of weights, over series that are read from their first values.

Axes: S sets of series, R series of a set, N steps, L lanes, T early steps, M steps of a season, D directions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.solved._smoothing import gains
from unrolled.solved._smoothing_steps import Recurrence

__all__ = ["Lanes", "joined", "squares"]

_SLAB = 2_000_000  # numbers of lanes that are advanced together


class Lanes(NamedTuple):
    """Weights that are tried, each on one set of series.

    Attributes:
        weights: (L,) of each weight of a `Smoother`, and ``season``, whether the lane has one.
        basis, spread: (L, 2 + M, D) and (L, D), what is known of the first state (see `gains`).
        source: (L,) int64, the set of series that a lane reads.
    """

    weights: dict[str, np.ndarray]
    basis: np.ndarray
    spread: np.ndarray
    source: np.ndarray

    def part(self, chosen: np.ndarray) -> Lanes:
        """Some of the lanes, all with a season or all without one; those have one step of it, which stays 0."""
        weights = {name: of[chosen] for name, of in self.weights.items()}
        rows, columns = (None, None) if weights["season"].any() else (3, 2)
        return Lanes(weights, self.basis[chosen, :rows, :columns], self.spread[chosen, :columns], self.source[chosen])


def joined(parts: list[Lanes]) -> Lanes:
    """The lanes of all ``parts``."""
    weights = {name: np.concatenate([part.weights[name] for part in parts]) for name in parts[0].weights}
    return Lanes(weights, *(np.concatenate([part[at] for part in parts]) for at in (1, 2, 3)))


def squares(lanes: Lanes, values: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The sums of squared errors after the first step, each error in units of its own variance, and these variances.

    Args:
        lanes: the weights.
        values: (S, R, N), NaN where a value is missing; no series begins with NaN, but it may have NaN only.
        steps: T, at most N.

    Returns:
        (L,), and (L, T) the variances of the first errors.

    Cost: for each slab of lanes some twenty operations a step on (L, R), and in the first T one on (2 + M, L, R) and
    three on (L, D, D).
    """
    total, variance = np.empty(len(lanes.source)), np.empty((len(lanes.source), steps))
    flow = np.ascontiguousarray(values.transpose(2, 0, 1))  # (N, S, R)
    seasonal, relative = lanes.weights["season"].astype(bool), lanes.weights["relative"].astype(bool)
    for season in (False, True):
        chosen = np.flatnonzero(seasonal == season)
        chosen = chosen[np.argsort(relative[chosen], kind="stable")]  # `Recurrence` is faster so
        size = values.shape[1] * (lanes.basis.shape[1] if season else 3) + lanes.spread.shape[1] ** (2 * season)
        most = max(1, _SLAB // size)
        for begin in range(0, len(chosen), most):
            slab = chosen[begin : begin + most]
            total[slab], variance[slab] = _slab(lanes.part(slab), flow, steps)
    return total, variance


def _slab(lanes: Lanes, flow: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """As `squares`, for lanes that all have a season, or none."""
    shape = len(lanes.source), flow.shape[2]
    line = np.zeros((5, *shape)) if lanes.weights["drift"].any() else None
    recurrence = Recurrence(lanes.weights, np.zeros((lanes.basis.shape[1], *shape)), line)
    early = gains(lanes.weights, lanes.basis, lanes.spread)
    whole, total, variance = ~np.isnan(flow).any((1, 2)), np.zeros(shape[0]), np.empty((steps, shape[0]))
    for time, given in enumerate(flow):
        value, more = given[lanes.source], None
        known = None if whole[time] else ~np.isnan(value)
        if time < steps:
            more, variance[time] = next(early)
            more = more[..., None]
        error = recurrence.advance(time, value, known, more)
        if time:
            square = np.einsum("lr,lr->l", error, error)
            total += square / variance[time] if time < steps else square
    return total, variance.T
