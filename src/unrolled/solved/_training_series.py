"""The training series that classical forecasters are fitted to: at most some hundreds, of at most some thousand steps.

Axes: R series, N steps, C channels, W channels of a step.
"""

from __future__ import annotations

import numpy as np

from unrolled.data.examples.examples import Examples
from unrolled.solved._smoothing_fit import Data, prior

__all__ = ["centres", "data_of", "filled", "groups_of", "least", "padded", "positive", "season_in", "series_of"]

_STEPS, _SERIES, _CELLS = 2000, 200, 60_000
_ALONE = 16  # channels that have their own weights; more share theirs
_SHARING = 40  # channels from which shared weights are found
_ABOVE = 1e-3  # deviations from which a value counts as above 0
_LONGEST = 700  # steps of a season


def series_of(train: Examples, channel: int, cells: int = _CELLS) -> list[np.ndarray]:
    """Scaled series of a channel, each (N,) float64 from its first to its last known value, cut to their last steps.

    They are chosen evenly among the rows, about ``cells`` values in all, and at least one.
    """
    assert train.target is not None and train.target.offsets is not None
    values, offsets = train.target.values, train.target.offsets
    lengths = np.minimum(train.target.lengths(), _STEPS)
    rows = np.flatnonzero(lengths > 1)
    most = max(1, min(_SERIES, cells // max(1, int(lengths.max(initial=1)))))
    series = []
    for row in rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))]:
        own = values[offsets[row + 1] - lengths[row] : offsets[row + 1], channel].astype(np.float64)
        known = np.flatnonzero(~np.isnan(own))
        if len(known) > 1:
            series.append(own[known[0] : known[-1] + 1])
    return series or [np.zeros(2)]


def filled(series: np.ndarray) -> np.ndarray:
    """The series with straight lines where values are missing."""
    known = np.flatnonzero(~np.isnan(series))
    return np.interp(np.arange(len(series)), known, series[known])


def padded(series: list[np.ndarray]) -> np.ndarray:
    """(R, N), padded with NaN to the right."""
    values = np.full((len(series), max(map(len, series))), np.nan)
    for row, own in enumerate(series):
        values[row, : len(own)] = own
    return values


def groups_of(train: Examples) -> list[list[int]]:
    """The channels that have weights together: each by itself, or, where there are many, some that stand for all."""
    assert train.target is not None
    channels = train.target.values.shape[1]
    if channels <= _ALONE:
        return [[channel] for channel in range(channels)]
    return [np.unique(np.linspace(0, channels - 1, min(channels, _SHARING)).astype(np.int64)).tolist()]


def season_in(series: list[np.ndarray], season: int) -> int:
    """The season if a series has two of them, and it is not too long to be read step by step; else 1."""
    return season if 1 < season <= _LONGEST and 2 * season <= max(map(len, series)) else 1


def positive(train: Examples, channel: int) -> bool:
    """True if all known values of a channel are well above 0 in the user's units."""
    return train.units is not None and not train.by_window and least(train, channel) > _ABOVE * train.units.std[channel]


def least(train: Examples, channel: int) -> float:
    """The least known value of a channel in the user's units."""
    assert train.target is not None and train.units is not None
    values = train.target.values[:, channel]
    known = values[~np.isnan(values)]
    lowest = float(known.min()) if len(known) else 0.0
    return lowest * float(train.units.std[channel]) + float(train.units.mean[channel])


def data_of(train: Examples, channels: list[int], period: int) -> Data:
    """The series of ``channels`` together, less the `centres` of each; logarithms only if all of them are positive."""
    scaled, logs, change = [], [], {False: 0.0, True: 0.0}
    relative = all(positive(train, channel) for channel in channels)
    for channel in channels:
        own = series_of(train, channel, _CELLS // len(channels))
        mean, std = (1.0, 1.0) if train.units is None else (train.units.mean[channel], train.units.std[channel])
        centre, middle = centres(train, channel)
        scaled += [z - centre for z in own]
        change[False] += sum(int((~np.isnan(z[1:])).sum()) for z in own) * float(np.log(std))
        if relative:
            read = [np.log(z * std + mean) for z in own]
            logs += [z - middle for z in read]
            change[True] += sum(float(np.nansum(z[1:])) for z in read)
    values = {False: scaled, True: logs} if relative else {False: scaled}
    known = {unit: prior([filled(z) for z in series], period) for unit, series in values.items()}
    return Data({unit: padded(series) for unit, series in values.items()}, change, known)


def centres(train: Examples, channel: int) -> tuple[float, float]:
    """The mean of a channel's known values, scaled, and that of their logarithms, 0 if they are not all positive."""
    assert train.target is not None
    values = train.target.values[:, channel].astype(np.float64)
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 0.0
    if not positive(train, channel):
        return float(known.mean()), 0.0
    assert train.units is not None
    return float(known.mean()), float(np.log(known * train.units.std[channel] + train.units.mean[channel]).mean())
