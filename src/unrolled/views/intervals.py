"""The intervals around forecasts, read from the columns that a task answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Interval", "intervals"]

_DEVIATIONS, _MIDDLE = 1.2815515655446004, 80  # per cent of a Gaussian lie within so many deviations


class Interval(NamedTuple):
    """An interval that should hold ``percent`` of the values; ``low`` and ``high`` have the shape of the forecast."""

    percent: float
    low: np.ndarray
    high: np.ndarray


def intervals(answers: Mapping[str, Any], channel: str) -> list[Interval]:
    """The intervals of a channel, the widest first.

    Args:
        answers: ``x_predicted``, and ``x_q10`` and so on, or ``x_sigma``.
        channel: x.

    Example:
        >>> found = intervals({"x_predicted": [2.0], "x_q5": [0.0], "x_q50": [2.0], "x_q95": [4.0]}, "x")
        >>> [(one.percent, one.low.tolist(), one.high.tolist()) for one in found]
        [(90.0, [0.0], [4.0])]
    """
    if (given := answers.get(f"{channel}_sigma")) is not None:
        middle, wide = (np.array(of, np.float64) for of in (answers[f"{channel}_predicted"], given))
        return [Interval(_MIDDLE, middle - _DEVIATIONS * wide, middle + _DEVIATIONS * wide)]
    start = f"{channel}_q"
    rests = [name.removeprefix(start) for name in answers if name.startswith(start)]
    levels = sorted((rest for rest in rests if rest.replace(".", "", 1).isdecimal()), key=float)
    pairs = zip(levels[: len(levels) // 2], reversed(levels), strict=False)
    ends = {level: np.array(answers[start + level], np.float64) for level in levels}
    return [Interval(float(high) - float(low), ends[low], ends[high]) for low, high in pairs]
