"""``unrolled memory``: how far back a trained model's gradient reaches."""

from __future__ import annotations

import math
from dataclasses import asdict

from unrolled.cli.output import Told, emit
from unrolled.runs.progress import Progress

__all__ = ["memory"]


def memory(run: str, file: str, /, *, lags: int | None = None, told: Told | None = None) -> None:
    """Measure how far back in time the gradient of a trained model's predictions reaches.

    Args:
        run: The run directory that fit wrote.
        file: Data with the columns of the training data, including the target; - for stdin.
        lags: Maximum number of steps to look back. Default: the longest row, at most 1000, or a forecast's lookback.
    """
    told = told or Told()
    from unrolled import api

    trained = api.load(run)
    with Progress(quiet=told.quiet):
        horizon = api.memory(trained, file, lags=lags)
    if told.json:
        norms = [norm if math.isfinite(norm) else None for norm in horizon.norms]  # JSON has no infinity
        survival = None if math.isnan(horizon.survival) else horizon.survival
        emit({"run": run, "file": file, **asdict(horizon), "norms": norms, "survival": survival})
        return
    print(horizon)
