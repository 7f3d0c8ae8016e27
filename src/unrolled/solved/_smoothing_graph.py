"""Exponential smoothing as operators of a graph: the recurrence of `_smoothing_steps`, and its forecasts.

Axes: B rows, T steps, L lanes, M steps of a season, H horizon.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.layers.graph import Value, concat, where
from unrolled.solved._smoothing import Smoothed, Smoother
from unrolled.solved._smoothing_steps import LEAST, SHRINK
from unrolled.state import leaves, planted

__all__ = ["after_graph", "smoothed_ahead"]


def after_graph(weights: Smoother, z: Value, known: Value, real: Value, state: Any) -> Any:
    """The state after the steps of each row, a tree of values.

    Args:
        weights: of each lane.
        z: (B, T, L), the values.
        known: (B, T, L) bool, where one is.
        real: (B, T) bool, where there is a step.
        state: before them, a tree of values.
    """
    like = Smoothed(*(None if part is None else weights.alpha for part in state))  # type: ignore[arg-type]

    def body(before: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
        value, there, here = now
        after = _advanced(weights, planted(like, before), value, there)
        row = here.unsqueeze(1)
        masks = [row, row, row, row.unsqueeze(2), row.unsqueeze(2)]  # of steps, level, trend, season, line
        pairs = zip(masks, leaves(like, after), before, strict=False)
        return [where(mask, one, old) for mask, one, old in pairs], [value]

    found, _ = z.graph.scan(leaves(like, state), [z, known, real], body)
    return planted(like, found)


def smoothed_ahead(weights: Smoother, state: Any, horizon: int) -> Value:
    """`ahead` as operators: (B, H, L)."""
    steps, level, trend, season, line = state
    g, h = level.graph, np.arange(1, horizon + 1)[:, None]
    reach = weights.phi.expand(horizon, -1).cumprod(0).cumsum(0)
    way = g.constant(reach) * trend.unsqueeze(1)
    if line is not None:
        way = way + g.constant(h, np.float32) * (_slope(line) * g.constant(weights.drift)).unsqueeze(1)
    logs = (g.op("Max", way, LEAST - 1) + 1.0).apply("Log")
    way = where(g.constant(weights.relative), logs, way)
    place = g.op("Mod", steps.unsqueeze(1) + g.constant(h - 1), season.size(2))
    return level.unsqueeze(1) + way + g.op("GatherElements", season.transpose(0, 2, 1), place, axis=1)


def _advanced(weights: Smoother, state: Any, value: Value, known: Value) -> Smoothed:
    """`Recurrence.advance` of every row and lane."""
    steps, level, trend, season, line = state
    g = value.graph
    alpha, beta, gamma, phi, drift = (g.constant(part) for part in weights[:5])
    place = g.op("Mod", steps, season.size(2)).unsqueeze(2)  # (B, L, 1)
    trend = trend * phi
    step = trend if line is None else trend + _slope(line) * drift
    relative = g.constant(weights.relative)
    level = level + where(relative, (g.op("Max", step, LEAST - 1) + 1.0).apply("Log"), step)
    trend = where(relative, trend / g.op("Max", step + 1.0, LEAST), trend)
    own = g.op("GatherElements", season, place, axis=2)
    error = where(known, value - level - own.squeeze(2), 0.0)
    level, trend = level + alpha * error, trend + beta * error
    own = own + (gamma * error).unsqueeze(2)
    count = weights.early.shape[2] - 2
    season = where(g.op("Equal", g.constant(np.arange(count)), place), own, season)
    early = _early(weights, steps) * error.unsqueeze(2)
    first, second, more = early.split([1, 1, count])
    level, trend, season = level + first.squeeze(2), trend + second.squeeze(2), season + more
    if line is not None:
        line = _lengthened(line, steps, value - g.op("GatherElements", season, place, axis=2).squeeze(2), known)
    steps = steps + (known | (steps > 0)).to(np.int64)
    return Smoothed(steps, level, trend, season, line)  # type: ignore[arg-type]


def _early(weights: Smoother, steps: Value) -> Value:
    """(B, L, 2 + M): how much more an error corrects this step."""
    g, (lanes, most, width) = steps.graph, weights.early.shape
    flat = g.constant(weights.early.reshape(lanes * most, width))
    at = g.op("Min", steps, most - 1) + g.constant(np.arange(lanes) * most)
    return where((steps < most).unsqueeze(2), g.op("Gather", flat, at), 0.0)


def _lengthened(line: Value, steps: Value, value: Value, known: Value) -> Value:
    """The line with one more value, where it is known."""
    number, mean_time, mean, square, product = (part.squeeze(2) for part in line.split([1] * 5))
    time = steps.to(np.float32)
    late, missed = (where(known, part, 0.0) for part in (time - mean_time, value - mean))
    value = where(known, value, 0.0)
    number = number + known.to(np.float32)
    count = number.graph.op("Max", number, 1.0)
    mean_time, mean = mean_time + late / count, mean + missed / count
    square, product = square + late * (time - mean_time), product + late * (value - mean)
    return concat([part.unsqueeze(2) for part in (number, mean_time, mean, square, product)], 2)


def _slope(line: Value) -> Value:
    return (line.part(4, 5, 2) / (line.part(3, 4, 2) + SHRINK)).squeeze(2)
