"""Numbers over time: last known values, and simple forecasts of all windows in chunks.

Axes: N steps of all rows end to end, H horizon, W channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from unrolled.baselines._arrays import is_several_hot, target_of
from unrolled.batch import Continuous
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next

__all__ = [
    "answered_windows",
    "asks_for_numbers",
    "known_so_far",
    "means",
    "windows",
]

_CHUNK = 1 << 21  # numbers to forecast at a time

Forecast = Callable[[np.ndarray, np.ndarray], np.ndarray]


def asks_for_numbers(examples: Examples) -> bool:
    """True for forecasts, and for next steps that are real vectors."""
    if not isinstance(examples.target_spec, Continuous):
        return False
    return isinstance(examples.form, Horizon) or (isinstance(examples.form, Next) and not is_several_hot(examples))


def means(train: Examples) -> np.ndarray:
    """(W,) the mean of each channel over known values; 0, the scaled mean, if there are none."""
    values = target_of(train).values
    known = ~np.isnan(values)
    return np.asarray(np.nansum(values, 0, dtype=np.float64) / np.maximum(known.sum(0), 1)).astype(np.float32)


def known_so_far(examples: Examples, otherwise: np.ndarray) -> np.ndarray:
    """(N, W): the values, with missing ones replaced by the last known value of the row, or else by ``otherwise``."""
    target = target_of(examples)
    values = target.values
    missing = np.isnan(values)
    if not missing.any():
        return values
    assert target.offsets is not None
    first = np.repeat(target.offsets[:-1], target.lengths())[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, np.arange(len(values))[:, None]))
    return np.where(last >= first, np.take_along_axis(values, np.maximum(last, 0), 0), otherwise)


def windows(examples: Examples, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(begin, stop) of every window, as positions in the target: the row's first step and the first one to predict."""
    offsets = target_of(examples).offsets
    assert offsets is not None
    rows, stops = examples.window_ends(stride)
    return offsets[rows], offsets[rows] + stops


def answered_windows(part: Examples, forecast: Forecast, stride: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (answer, right) for all windows in chunks, both (B, H, W) float64, in scaled units.

    Args:
        part: a split with a forecast horizon.
        forecast: (begins (B,), stops (B,)) -> what broadcasts to (B, H, W).
        stride: steps from one window to the next.
    """
    values, ahead = target_of(part).values, np.arange(part.horizon)
    begins, stops = windows(part, stride)
    size = max(1, _CHUNK // max(1, part.horizon * values.shape[1]))
    for at in range(0, len(stops), size):
        begin, stop = begins[at : at + size], stops[at : at + size]
        right = values[stop[:, None] + ahead].astype(np.float64)
        yield np.broadcast_to(forecast(begin, stop), right.shape), right
