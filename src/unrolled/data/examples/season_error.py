"""The error of repeating the last season in the past of each series, which scales the error of its forecasts.

Axes: R rows, N steps of all rows end to end, C channels.
"""

from __future__ import annotations

import numpy as np

from unrolled.data.encodings.encoding import Encoded

__all__ = ["season_error"]


def season_error(target: Encoded, season: int, first: np.ndarray | None = None) -> np.ndarray:
    r"""The in-sample error of the seasonal naive forecast, row by row and channel by channel.

    .. math:: \frac1{|T|} \sum_{t \in T} |y_t - y_{t-m}|

    T holds the known steps of a row, from the second season on, that lie before its first forecast. A row that is
    forecast from its beginning, or has no such step before, is scaled by all of its steps.

    Args:
        target: the values, in any units.
        season: m ≥ 1, in steps.
        first: (R,) int64, the first step that is forecast in each row; ``None`` where it is the first.

    Returns:
        (R, C) float64; NaN where the error is 0 or nothing is known, for then no error can be a multiple of it.

    Cost: O(N C).

    References:
        Hyndman and Koehler 2006, https://doi.org/10.1016/j.ijforecast.2006.03.001

    Example:
        >>> two = Encoded(np.array([0, 1, 0, 3, 10, 40.0])[:, None], np.array([0, 4, 6]))
        >>> season_error(two, 2).tolist()
        [[1.0], [nan]]
        >>> season_error(two, 1, np.array([3, 0])).tolist()
        [[1.0], [30.0]]
    """
    assert target.offsets is not None
    starts, lengths = target.offsets[:-1], target.lengths()
    change = np.full(target.values.shape, np.nan)
    change[season:] = np.abs(target.values[season:].astype(np.float64) - target.values[:-season])
    place = np.arange(len(change)) - np.repeat(starts, lengths)
    change[place < season] = np.nan
    whole = _means(change, target)
    if first is None:
        return whole
    change[place >= np.repeat(first, lengths)] = np.nan
    past = _means(change, target)
    return np.where(np.isnan(past), whole, past)


def _means(change: np.ndarray, target: Encoded) -> np.ndarray:
    """(R, C) the mean of the known changes of each row, NaN where it is 0 or there are none."""
    known, rows = ~np.isnan(change), np.repeat(np.arange(len(target.lengths())), target.lengths())
    totals, counts = (
        np.stack([np.bincount(rows, channel, len(target.lengths())) for channel in each.T], 1)
        for each in (np.where(known, change, 0.0), known)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = totals / counts
    return np.where((counts > 0) & (totals > 0), mean, np.nan)
