"""The period after which a series repeats itself best, such as a day or a week."""

from __future__ import annotations

import math

import numpy as np

from unrolled.baselines._arrays import target_of
from unrolled.baselines._forecasts import Forecast, answered_windows, known_so_far, means
from unrolled.baselines._subsample import for_fitting
from unrolled.data.examples.examples import Examples

__all__ = ["repeating", "season"]

# Days, weeks and years in common sampling intervals, such as 168 hours in a week.
_CLASSICAL = (1, 4, 5, 7, 12, 24, 48, 52, 60, 96, 144, 168, 288, 336, 365, 672, 8760)
_PEAKS = 5  # peaks of the autocorrelation that are tried as well
_TRIED_WINDOWS = 400
_FIT_CELLS = 10_000_000
_LONGEST = 1 << 17  # steps for the autocorrelation


def season(train: Examples, most: int | None = None) -> int:
    """The period m of the training split in steps; 1 if it has no season.

    It is chosen from the classical periods (day, week and year in common units) and the highest peaks of the
    autocorrelation, by the squared error of forecasts that repeat the last m steps.

    Args:
        train: the training split.
        most: the longest period that may be chosen.

    Cost: O(N log N) for N steps.

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.horizon import Horizon
        >>> wave = Encoded(np.tile(np.float32([0, 1, 5]), 20)[:, None], np.array([0, 60]))
        >>> season(Examples({"x": wave}, {"x": Continuous(1)}, wave, Continuous(1), Horizon(6)))
        3
    """
    train = for_fitting(train, _FIT_CELLS)
    known, longest = known_so_far(train, means(train)), int(train.steps().max(initial=0))
    stride = max(1, int(train.steps().sum()) // _TRIED_WINDOWS)
    errors = {
        period: _squared_error(train, repeating(known, period, train.horizon), stride)
        for period in sorted({*_CLASSICAL, *_peaks(train, known)})
        if period == 1 or (2 * period <= longest and period <= (most or longest))
    }
    return min(errors, key=lambda period: (errors[period], period))


def _squared_error(train: Examples, forecast: Forecast, stride: int) -> float:
    """The mean squared error over known values; infinite if there are none."""
    total, count = 0.0, 0
    for answer, right in answered_windows(train, forecast, stride):
        known = ~np.isnan(right)
        total, count = total + float(np.square(answer - right)[known].sum()), count + int(known.sum())
    return total / count if count else math.inf


def repeating(known: np.ndarray, period: int, horizon: int) -> Forecast:
    """A forecast that repeats the last ``period`` steps of ``known`` (N, W); the last value where there are fewer."""
    ahead = np.arange(horizon) % period - period  # (H,) relative to the first step to predict

    def forecast(begins: np.ndarray, stops: np.ndarray) -> np.ndarray:
        at = stops[:, None] + ahead  # (B, H)
        return np.asarray(known[np.where(at >= begins[:, None], at, stops[:, None] - 1)])

    return forecast


def _peaks(train: Examples, known: np.ndarray) -> list[int]:
    """The lags of the highest peaks in the longest row's autocorrelation, summed over channels."""
    offsets, lengths = target_of(train).offsets, train.steps()
    assert offsets is not None
    if not lengths.max(initial=0):
        return []
    row = int(lengths.argmax())
    series = known[max(int(offsets[row]), int(offsets[row + 1]) - _LONGEST) : int(offsets[row + 1])].astype(np.float64)
    series -= series.mean(0)
    size = 1 << (2 * len(series) - 1).bit_length()  # zero padding, so that nothing wraps around
    likeness = np.zeros(len(series) // 2 + 1)
    for channel in series.T:
        power = np.abs(np.fft.rfft(channel, size)) ** 2
        likeness += np.fft.irfft(power, size)[: len(likeness)] / max(1e-12, float(np.square(channel).sum()))
    middle = likeness[1:-1]
    tops = np.flatnonzero((middle > likeness[:-2]) & (middle >= likeness[2:])) + 1
    return sorted(tops[np.argsort(-likeness[tops], kind="stable")][:_PEAKS].tolist())
