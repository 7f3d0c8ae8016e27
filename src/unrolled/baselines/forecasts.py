"""What forecasts and other answers that are numbers over time share: the last known values, and the score in chunks.

Axes: N steps of all rows end to end, H horizon, W channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from unrolled.baselines.questions import asked_values, is_several_hot, target_of
from unrolled.batch import Continuous
from unrolled.data.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.metrics._forecasts import percent_off

__all__ = ["asks_for_numbers", "known_so_far", "means", "score_next", "score_windows", "windows"]

_CHUNK = 1 << 21  # numbers that are forecast at a time

Forecast = Callable[[np.ndarray, np.ndarray], np.ndarray]


def asks_for_numbers(examples: Examples) -> bool:
    """True for forecasts, and for next steps that are real vectors."""
    if not isinstance(examples.target_spec, Continuous):
        return False
    return isinstance(examples.form, Horizon) or (isinstance(examples.form, Next) and not is_several_hot(examples))


def means(train: Examples) -> np.ndarray:
    """(W,) the mean of each channel over the known values; 0, the scaled mean, where there are none."""
    values = target_of(train).values
    known = ~np.isnan(values)
    return np.asarray(np.nansum(values, 0, dtype=np.float64) / np.maximum(known.sum(0), 1)).astype(np.float32)


def known_so_far(examples: Examples, otherwise: np.ndarray) -> np.ndarray:
    """(N, W): each value; where it is missing the last known one of its row, or ``otherwise`` where there is none."""
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
    """(begin, stop) of every window as places in the target's values: its row's first step, and the first one asked."""
    offsets = target_of(examples).offsets
    assert offsets is not None
    rows, stops = examples.window_ends(stride)
    return offsets[rows], offsets[rows] + stops


def score_windows(part: Examples, forecast: Forecast, stride: int = 1) -> dict[str, float]:
    """``mse`` and ``mae`` over all windows, in scaled units, NaN left out; memory does not grow with their number.

    Where the split knows its units, ``smape_percent`` and ``mase`` too.

    Args:
        part: a split of forecasts.
        forecast: (begins (B,), stops (B,)) -> what broadcasts to (B, H, W).
        stride: steps from one window to the next.
    """
    values, ahead = target_of(part).values, np.arange(part.horizon)
    begins, stops = windows(part, stride)
    size = max(1, _CHUNK // max(1, part.horizon * values.shape[1]))
    totals = dict.fromkeys(("mse", "mae", "smape_percent", "mase") if part.units else ("mse", "mae"), (0.0, 0))
    for at in range(0, len(stops), size):
        begin, stop = begins[at : at + size], stops[at : at + size]
        y, answer = values[stop[:, None] + ahead].astype(np.float64), forecast(begin, stop)  # (B, H, W)
        error = answer - y
        found = {"mse": np.square(error), "mae": np.abs(error)}
        if (units := part.units) is not None:
            found["smape_percent"] = percent_off(answer * units.std + units.mean, y * units.std + units.mean)
            found["mase"] = np.abs(error) / units.naive
        for name, each in found.items():
            known = each[~np.isnan(each)]
            totals[name] = (totals[name][0] + float(known.sum()), totals[name][1] + len(known))
    return {name: total / count if count else math.nan for name, (total, count) in totals.items()}


def score_next(part: Examples, answer: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """``mse`` and ``mae`` of the next step; ``answer`` maps the asked steps (Q,) to what broadcasts to (Q, W)."""
    steps = asked_values(part)
    error = answer(steps) - target_of(part).values[steps]
    error = error[~np.isnan(error)].astype(np.float64)
    if not len(error):
        return {"mse": math.nan, "mae": math.nan}
    return {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}
