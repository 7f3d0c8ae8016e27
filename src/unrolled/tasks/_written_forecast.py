"""A forecast as a graph, in the data's own units. Axes: B rows, H horizon, C channels, Q numbers of each value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled.layers.graph import Value
from unrolled.tasks._gaussian import LEAST_LOG_SIGMA
from unrolled.tasks._intervals import Widths

__all__ = ["Shape", "write_forecast"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a forecast.

    Attributes:
        sizes: H, C, Q.
        mean, std: (C,) float64, of the channels.
        quantiles: those of the Q numbers, ascending; empty for a point forecast.
        gaussian: the Q numbers are a mean and the logarithm of a deviation.
        middle: which of the Q numbers is the point forecast.
        scale: of the intervals.
        widths: of the intervals of a point forecast.
    """

    sizes: tuple[int, int, int]
    mean: np.ndarray
    std: np.ndarray
    quantiles: Sequence[float]
    gaussian: bool
    middle: int
    scale: float
    widths: Widths | None


def write_forecast(outputs: Value, last: Value, shape: Shape) -> dict[str, Value]:
    """Write the forecast (B, H, C): ``predicted``, ``sigma`` of a Gaussian, and quantiles such as ``q10``.

    Args:
        outputs: (B, HCQ), those of the network.
        last: (B, C), the last known value, scaled as the network reads it.
        shape: the form of the forecast.
    """
    g, std = outputs.graph, shape.std
    change = outputs.reshape(0, *shape.sizes)

    def units(scaled: Value) -> Value:
        return scaled.to(np.float64) * g.constant(std) + g.constant(shape.mean)

    if shape.gaussian:
        mean, log_sigma = (part.squeeze(3) for part in change.split([1, 1], -1))
        bounded = g.op("Max", log_sigma, g.constant(LEAST_LOG_SIGMA, np.float32)) + math.log(shape.scale)
        sigma = bounded.to(np.float64).apply("Exp") * g.constant(std)
        return {"predicted": units(last.unsqueeze(1) + mean), "sigma": sigma}
    forecast = last.unsqueeze(1, 3) + change
    if not shape.quantiles:
        point = forecast.squeeze(3)
        found: dict[str, Value] = {"predicted": units(point)}
        if shape.widths is not None:
            found["q10"] = units(point - g.constant(shape.widths.below, np.float32))
            found["q90"] = units(point + g.constant(shape.widths.above, np.float32))
        return found
    forecast = _sorted(forecast, len(shape.quantiles))
    middle = forecast.part(shape.middle, shape.middle + 1, 3)
    forecast = middle + shape.scale * (forecast - middle)
    each = [units(part.squeeze(3)) for part in forecast.split([1] * len(shape.quantiles), 3)]
    return {"predicted": each[shape.middle]} | {f"q{100 * q:g}": v for q, v in zip(shape.quantiles, each, strict=True)}


def _sorted(values: Value, count: int) -> Value:
    """The last axis in ascending order."""
    k: Any = values.graph.constant([count], np.int64)
    return values.graph.ops("TopK", values, k, outputs=2, axis=-1, largest=0, sorted=1)[0]
