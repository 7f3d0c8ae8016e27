"""Exponential smoothing as one recurrence: level, trend and season, which later values correct.

Axes: B rows, L lanes (channels, or parameters that are tried), T early steps, M steps of a season, H horizon.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["LEAST", "SHRINK", "Smoothed", "Smoother", "advance", "ahead", "begin", "early_gains", "slope"]

SHRINK = 10.0  # the line through few values is flat: as if five more lay on a flat line
LEAST = 0.05  # a forecast falls at most to this share of its level where the trend is relative


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


def advance(weights: Smoother, state: Smoothed, value: Tensor, known: Tensor) -> tuple[Smoothed, Tensor]:
    r"""One step; a value that is not known leaves the state to its own course.

    .. math::
        e_t = y_t - (l_{t-1} + \phi b_{t-1} + s_{t-m}),\quad l_t = l_{t-1} + \phi b_{t-1} + \alpha_t e_t,\quad
        b_t = \phi b_{t-1} + \beta_t e_t,\quad s_t = s_{t-m} + \gamma_t e_t

    Returns:
        the state after it, and (B, L) the errors, 0 where the value is not known.

    Shape:
        value (B, L) or (B, 1) float, known the same bool.
    """
    steps, _, _, season, line = state
    place = (steps % season.shape[-1])[..., None]
    own = season.gather(-1, place)[..., 0]
    level, trend = _drawn(weights, state)
    error = torch.where(known, value - level - own, 0.0)
    level = level + weights.alpha * error
    trend = trend + weights.beta * error
    season = season.scatter_add(-1, place, (weights.gamma * error)[..., None])
    most = weights.early.shape[1]
    young = steps < most
    if bool(young.any()):
        lanes = torch.arange(steps.shape[1], device=steps.device)
        more = weights.early[lanes, steps.clamp(max=most - 1)] * torch.where(young, error, 0.0)[..., None]
        level, trend, season = level + more[..., 0], trend + more[..., 1], season + more[..., 2:]
    if line is not None:
        own = season.gather(-1, place)[..., 0]
        line = torch.where(known[..., None], _longer(line, steps, value - own), line)
    started = known | (steps > 0)
    return Smoothed(steps + started, level, trend, season, line), error


def _drawn(weights: Smoother, state: Smoothed) -> tuple[Tensor, Tensor]:
    """Level and trend one step on, before its value is known."""
    kept = weights.phi * state.trend
    step = kept if state.line is None else kept + weights.drift * slope(state.line)
    relative = weights.relative
    moved = torch.where(relative, torch.log1p(step.clamp(min=LEAST - 1)), step)
    return state.level + moved, torch.where(relative, kept / (1 + step).clamp(min=LEAST), kept)


def _longer(line: Tensor, time: Tensor, value: Tensor) -> Tensor:
    """The line with one more value (Welford's update)."""
    number, mean_time, mean, square, product = line.unbind(-1)
    number = number + 1
    late = time - mean_time
    mean_time, mean_after = mean_time + late / number, mean + (value - mean) / number
    square, product = square + late * (time - mean_time), product + late * (value - mean_after)
    return torch.stack([number, mean_time, mean_after, square, product], -1)


def slope(line: Tensor) -> Tensor:
    """(B, L) the slope of the line, shrunk towards 0 where few values are known."""
    return line[..., 4] / (line[..., 3] + SHRINK)


def ahead(weights: Smoother, state: Smoothed, horizon: int) -> Tensor:
    """(B, H, L) the forecasts of the next ``horizon`` steps."""
    h = torch.arange(1, horizon + 1, device=state.level.device)[:, None]  # (H, 1)
    reach = weights.phi.expand(horizon, -1).cumprod(0).cumsum(0)  # (H, L)
    way = reach * state.trend[:, None]  # (B, H, L)
    if state.line is not None:
        way = way + h * (weights.drift * slope(state.line))[:, None]
    way = torch.where(weights.relative, torch.log1p(way.clamp(min=LEAST - 1)), way)
    place = (state.steps[:, None] + h - 1) % state.season.shape[-1]  # (B, H, L)
    return state.level[:, None] + way + state.season.transpose(1, 2).gather(1, place)


def early_gains(
    weights: dict[str, np.ndarray], basis: np.ndarray, spread: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""How much more the first errors correct a state that is not known at the start.

    The state at the start is a draw, :math:`x_0 = V \delta` with :math:`\delta_i \sim N(0, v_i)`, and the errors have
    variance 1. What is known of :math:`\delta` grows with each value, so the best correction falls from all of the
    first error to the weights of smoothing. It does not depend on the values, so it is solved once.

    Args:
        weights: ``alpha``, ``beta``, ``gamma``, ``phi``, each (L,).
        basis: V, (L, 2 + M, D).
        spread: (L, D), the variances v.
        steps: T.

    Returns:
        (L, T, 2 + M), and (L, T) the variance of each error.

    Cost: O(L T M D).
    """
    alpha, beta, gamma, phi = (weights[name] for name in ("alpha", "beta", "gamma", "phi"))
    state, season = basis.copy(), basis.shape[1] - 2  # how the state depends on δ
    unknown = np.einsum("ld,de->lde", spread, np.eye(basis.shape[2]))  # (L, D, D)
    gains, variance = np.empty((len(alpha), steps, 2 + season)), np.empty((len(alpha), steps))
    for t in range(steps):
        own = 2 + t % season
        level, trend = state[:, 0] + phi[:, None] * state[:, 1], phi[:, None] * state[:, 1]
        seen = level + state[:, own]  # (L, D): how the value depends on δ
        learned = (unknown @ seen[..., None])[..., 0]
        variance[:, t] = 1 + (seen * learned).sum(-1)
        state[:, 0], state[:, 1] = level - alpha[:, None] * seen, trend - beta[:, None] * seen
        state[:, own] -= gamma[:, None] * seen
        gains[:, t] = (state @ learned[..., None])[..., 0] / variance[:, t, None]
        unknown -= learned[:, :, None] * (learned / variance[:, t, None])[:, None]
    return gains, variance
