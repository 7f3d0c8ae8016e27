"""``unrolled memory``: how far back a trained model's gradient reaches."""

from __future__ import annotations

import math
from dataclasses import asdict

from unrolled.cli.output import Told, emit
from unrolled.cli.progress import Progress

__all__ = ["memory"]


def memory(run: str, file: str, /, *, lags: int | None = None, told: Told | None = None) -> None:
    """Show the gradient of a trained model's answers against how far back it reaches, and whether that is healthy.

    Args:
        run: The run directory that fit wrote.
        file: What to measure it on, with the target, in the format that it was trained on; - for stdin.
        lags: The most steps to look back. Default: the longest row, 1000 at most; of a forecast, its lookback.
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
