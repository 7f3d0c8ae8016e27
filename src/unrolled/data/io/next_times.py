"""The times that follow those of a series, by its own step: hours, working days, months or years. Axes: N times."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.day_numbers import DAY, first_days, is_weekend, months_of
from unrolled.data.io.number_types import is_number

__all__ = ["next_times"]

_FEW = 6  # days that show that nothing happens at weekends


def next_times(times: pa.Array, count: int) -> pa.Array | None:
    """The next ``count`` times or numbers, of the same type; ``None`` if there are fewer than two, or of another type.

    The step is the one between most neighbours. Times on one day of the month, or at the ends of months, go on by
    months; days of which none is at a weekend skip weekends; times in a zone keep their time of day there.

    Example:
        >>> from datetime import date
        >>> months = pa.array([date(2023, 11, 30), date(2023, 12, 31), date(2024, 1, 31)])
        >>> [str(day) for day in next_times(months, 2).to_pylist()]
        ['2024-02-29', '2024-03-31']
        >>> next_times(pa.array([1, 3, 5]), 2).to_pylist()
        [7, 9]
    """
    kind, times = times.type, times.drop_null()
    if len(times) < 2:
        return None
    if is_number(kind):
        numbers = times.to_numpy()
        step = _usual(np.diff(numbers))
        return pa.array(numbers[-1] + step * np.arange(1, count + 1)).cast(kind, safe=False)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return None
    zone = getattr(kind, "tz", None)
    local = pc.local_timestamp(times) if zone else times
    found = _following(local.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_numpy(), count)
    following = pa.array(found).cast(pa.timestamp("us"))
    if zone:
        following = pc.assume_timezone(following, zone, ambiguous="earliest", nonexistent="latest")
    return following.cast(kind, safe=False)


def _following(micros: np.ndarray, count: int) -> np.ndarray:
    """The next ``count`` local times after (N,) ``micros``, all in microseconds since 1970."""
    ahead = np.arange(1, count + 1)
    days, clock = micros // DAY, micros % DAY
    months = months_of(days)
    day = days - first_days(months)  # of the month, from 0
    ends = months_of(days + 1) > months
    apart = np.diff(months)
    if (clock == clock[-1]).all() and (apart > 0).all() and ((day == day[-1]).all() or ends.all()):
        later = months[-1] + _usual(apart) * ahead
        last = first_days(later + 1) - 1
        moved = last if ends.all() else np.minimum(first_days(later) + day[-1], last)
        return np.asarray(moved * DAY + clock[-1])
    step = _usual(np.diff(micros))
    if step == DAY and len(days) >= _FEW and days[-1] - days[0] > len(days) and not is_weekend(days).any():
        coming = days[-1] + np.arange(1, 2 * count + 8)
        return np.asarray(coming[~is_weekend(coming)][:count] * DAY + clock[-1])
    return np.asarray(micros[-1] + step * ahead)


def _usual(steps: np.ndarray) -> np.ndarray:
    """The most frequent step; of equally frequent ones the middle one."""
    values, counts = np.unique(steps, return_counts=True)
    often: np.ndarray = values[counts == counts.max()]
    return np.asarray(often[len(often) // 2])
