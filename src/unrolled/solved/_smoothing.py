"""Exponential smoothing as one recurrence: its weights, its state, its forecasts, and its first corrections.

Axes: B rows, L lanes (channels, or parameters that are tried), T early steps, M steps of a season, H horizon.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.solved._smoothing_steps import LEAST, SHRINK, Recurrence

__all__ = ["Smoothed", "Smoother", "after", "ahead", "begin", "gains"]
_NAMES = ("alpha", "beta", "gamma", "phi", "drift", "relative")


class Smoother(NamedTuple):
    """The weights of the recurrence.

    Attributes:
        alpha, beta, gamma: (L,) how much of an error corrects the level, the trend and the step of the season.
        phi: (L,) the share of the trend that is left after a step; 1 for a trend that is not damped.
        drift: (L,) the share of the slope of the line through all values that is added to each step.
        relative: (L,) bool, where values are logarithms: season and error multiply, and the trend is a straight line
            in the values themselves.
        early: (L, T, 2 + M) how much more an error corrects level, trend and season in the first T steps.
    """

    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    phi: Tensor
    drift: Tensor
    relative: Tensor
    early: Tensor


class Smoothed(NamedTuple):
    """The state.

    Attributes:
        steps: (B, L) int64, the steps since the first known value.
        level, trend: (B, L), of the last step.
        season: (B, L, M), by step since the first known value, modulo M.
        line: (B, L, 5) of the values without season: their number, mean time, mean, and sums of squares and products
            around them; ``None`` where no drift is asked for.
    """

    steps: Tensor
    level: Tensor
    trend: Tensor
    season: Tensor
    line: Tensor | None


def begin(weights: Smoother, rows: int, line: bool) -> Smoothed:
    """The state before the first step of ``rows`` rows."""
    zeros = weights.alpha.new_zeros(rows, len(weights.alpha))
    season = zeros.new_zeros(*zeros.shape, weights.early.shape[-1] - 2)
    return Smoothed(zeros.long(), zeros, zeros, season, zeros.new_zeros(*zeros.shape, 5) if line else None)


@torch.no_grad()
def after(weights: Smoother, state: Smoothed, values: Tensor, known: Tensor, lengths: Tensor) -> Smoothed:
    """The state after the steps of each row, on the device of ``values`` but computed by the CPU.

    Args:
        weights: of each lane.
        state: before them.
        values: (B, T, L) float.
        known: the same, bool: where a value is.
        lengths: (B,) int64, the steps of each row.
    """
    order = lengths.argsort(descending=True, stable=True)  # those that end come last
    value, there = (_flow(part[order]) for part in (values, known))  # (T, L, B)
    steps = state.steps[order].T.cpu().numpy().copy()  # (L, B)
    parts = [state.level[order].T[None], state.trend[order].T[None], state.season[order].permute(2, 1, 0)]
    cells = torch.cat(parts).cpu().numpy().copy()  # (2 + M, L, B)
    line = None if state.line is None else state.line[order].permute(2, 1, 0).cpu().numpy().copy()  # (5, L, B)
    own = {name: getattr(weights, name).cpu().numpy() for name in _NAMES}
    early, ends = weights.early.cpu().numpy(), lengths[order].cpu().numpy()
    real = ends > np.arange(int(ends.max(initial=0)))[:, None]  # (T, B)
    full: list[bool] = np.all(there[: len(real)] | ~real[:, None], axis=(1, 2)).tolist()
    left = 0
    time: int | np.ndarray | None = None
    for t, count in enumerate(real.sum(1).tolist()):
        if left != (left := count):
            recurrence = Recurrence(own, cells[..., :left], None if line is None else line[..., :left])
        now, gaps = steps[:, :left], None if full[t] else there[t, :, :left]
        if time is None:
            time = int(now[0, 0]) if (now == now[0, 0]).all() else now
        recurrence.advance(time, value[t, :, :left], gaps, _early(early, time))
        now += 1 if gaps is None else gaps | (now > 0)
        time = time + 1 if gaps is None and isinstance(time, int) else None  # still the same for all rows
    back, like = order.argsort(), state.level

    def rows(part: np.ndarray) -> Tensor:  # (…, L, B) to (B, L, …)
        found = torch.from_numpy(part).to(like.device)
        return found.permute(*range(part.ndim)[::-1])[back]

    return Smoothed(rows(steps), rows(cells[0]), rows(cells[1]), rows(cells[2:]), None if line is None else rows(line))


def _flow(part: Tensor) -> np.ndarray:
    return np.ascontiguousarray(part.permute(1, 2, 0).cpu().numpy())


def _early(early: np.ndarray, time: int | np.ndarray) -> np.ndarray | None:
    """(2 + M, L, B or 1), how much more the errors of a step correct, from (L, T, 2 + M); ``None`` for no more."""
    most = early.shape[1]
    if isinstance(time, int):
        return early[:, time].T[..., None] if time < most else None
    young = time < most
    if not young.any():
        return None
    found = early[np.arange(len(early))[:, None], np.minimum(time, most - 1)]  # (L, B, 2 + M)
    return np.moveaxis(np.where(young[..., None], found, 0), -1, 0)


def _slope(line: Tensor) -> Tensor:
    """(B, L) the slope of the line, shrunk towards 0 where few values are known."""
    return line[..., 4] / (line[..., 3] + SHRINK)


def ahead(weights: Smoother, state: Smoothed, horizon: int) -> Tensor:
    """(B, H, L) the forecasts of the next ``horizon`` steps."""
    h = torch.arange(1, horizon + 1, device=state.level.device)[:, None]  # (H, 1)
    reach = weights.phi.expand(horizon, -1).cumprod(0).cumsum(0)  # (H, L)
    way = reach * state.trend[:, None]  # (B, H, L)
    if state.line is not None:
        way = way + h * (weights.drift * _slope(state.line))[:, None]
    way = torch.where(weights.relative, torch.log1p(way.clamp(min=LEAST - 1)), way)
    place = (state.steps[:, None] + h - 1) % state.season.shape[-1]  # (B, H, L)
    return state.level[:, None] + way + state.season.transpose(1, 2).gather(1, place)


def gains(
    weights: dict[str, np.ndarray], basis: np.ndarray, spread: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    r"""How much more the errors of each step correct a state that is not known at the start.

    The state at the start is a draw, :math:`x_0 = V \delta` with :math:`\delta_i \sim N(0, v_i)`, and the errors have
    variance 1. What is known of :math:`\delta` grows with each value, so the best correction falls from all of the
    first error to the weights of smoothing. It does not depend on the values.

    Args:
        weights: ``alpha``, ``beta``, ``gamma``, ``phi``, each (L,).
        basis: V, (L, 2 + M, D).
        spread: (L, D), the variances v.

    Yields:
        (2 + M, L), and (L,) the variance of the error.

    Cost: O(L D (M + D)) a step.
    """
    alpha, beta, gamma, phi = (weights[name][:, None] for name in ("alpha", "beta", "gamma", "phi"))
    state = np.ascontiguousarray(basis.transpose(1, 0, 2))  # (2 + M, L, D): how the state depends on δ
    unknown = spread[:, :, None] * np.eye(basis.shape[2])  # (L, D, D): the covariance of δ
    for own in cycle(range(2, len(state))):
        state[1] *= phi
        state[0] += state[1]
        seen = state[0] + state[own]  # (L, D): how the value depends on δ
        learned = np.einsum("lde,le->ld", unknown, seen)
        variance = 1 + np.einsum("ld,ld->l", seen, learned)
        state[0] -= alpha * seen
        state[1] -= beta * seen
        state[own] -= gamma * seen
        yield np.einsum("mld,ld->ml", state, learned) / variance, variance
        unknown -= learned[:, :, None] * (learned / variance[:, None])[:, None]
