"""How the times of a series follow each other: the usual step, gaps, times that occur twice, and the season."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.day_numbers import DAY, first_days, is_weekend, months_of
from unrolled.data.io.number_types import is_number
from unrolled.errors import counted

__all__ = ["Cadence", "cadence_of", "clock_of_times"]

_SECOND = 1_000_000
_UNITS = (("day", DAY), ("hour", DAY // 24), ("minute", 60 * _SECOND), ("second", _SECOND), ("millisecond", 1000))
_MONTHS = {1: ("1 month", 12), 3: ("1 quarter", 4), 12: ("1 year", 1), 6: ("6 months", 2), 2: ("2 months", 6)}
_DAYS_OF_A_MONTH = 30.5
_LONGEST_SEASON = 288  # steps; a day of 5-minute steps
_USUAL = 0.5  # share of the steps that must be equal


@dataclass(frozen=True, slots=True)
class Cadence:
    """The steps of one or more series in time.

    Attributes:
        step: the usual step, such as ``1 day``; empty if the steps are not equal.
        season: steps in a day, a week or a year, whichever is usual for such steps; 1 if none is.
        workdays: whether there are no Saturdays and Sundays in steps of a day.
        gaps: places where steps are missing.
        missing: how many steps are missing there.
        repeated: steps at the same time as the one before.
        longest: steps of the longest series.
        horizon: the steps that the file wants to be forecast; 0 if it does not say.
        size: the usual step in seconds, or in the unit of the numbers; a month is 30.5 days; 0 if steps are not equal.
    """

    step: str
    season: int
    workdays: bool = False
    gaps: int = 0
    missing: int = 0
    repeated: int = 0
    longest: int = 0
    horizon: int = 0
    size: float = 0.0

    @property
    def regular(self) -> bool:
        """Whether most steps are equal."""
        return bool(self.step)

    def say(self, name: str) -> str:
        """What the user should know about the times in the column ``name``; empty if nothing."""
        parts = [f"one step is {self.step}" if self.step else "its steps are not equal"]
        if self.workdays:
            parts.append("there are no Saturdays and Sundays")
        if self.gaps:
            lack = counted(self.missing, "step is", "steps are")
            parts.append(
                f"{lack} missing in {counted(self.gaps, 'place')}, and the steps around a gap are read as neighbours"
            )
        if self.repeated:
            times = counted(self.repeated, "time occurs", "times occur")
            parts.append(f"{times} more than once, in the order of the rows")
        return f"{name!r}: {'; '.join(parts)}"


def clock_of_times(column: pa.ChunkedArray) -> np.ndarray | None:
    """(N,) int64 microseconds or float64 numbers, one step apart where the steps are equal; ``None`` for anything else.

    Days are counted by the clock of the zone; shorter steps go through its change to summer time. With nulls, ``None``.
    """
    kind = column.type
    if column.null_count:
        return None
    if is_number(kind):
        numbers: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
        return numbers
    if pa.types.is_timestamp(kind) and kind.tz:
        local = clock_of_times(pc.local_timestamp(column))
        if local is None or not len(local) or len(np.unique(local % DAY)) == 1:
            return local  # days of 23 and 25 hours are days
        instants: np.ndarray = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()).to_numpy()
        return instants + (local[0] - instants[0])
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros: np.ndarray = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_numpy()
        return micros
    return None


def cadence_of(times: np.ndarray, series: np.ndarray | None = None) -> Cadence:
    """The cadence of ``times``, in whatever order they are.

    Args:
        times: (N,) int64 microseconds since 1970, or float64 numbers without a unit.
        series: (N,) int64, the series of each step; ``None``: all are of one.

    Cost: O(N log N).

    Example:
        >>> days = np.datetime64("2024-01-01", "us") + np.array([0, 1, 2, 4, 5], "timedelta64[D]")
        >>> cadence_of(days.astype(np.int64)).say("date")
        "'date': one step is 1 day; 1 step is missing in 1 place, and the steps around a gap are read as neighbours"
    """
    series = np.zeros(len(times), np.int64) if series is None else series
    order = np.lexsort((times, series))
    times, series = times[order], series[order]
    same = np.diff(series) == 0
    longest = int(np.bincount(np.unique(series, return_inverse=True)[1]).max(initial=0))
    repeated = int((same & (np.diff(times) == 0)).sum())
    if times.dtype != np.int64:
        return _of_numbers(times, same, repeated, longest)
    days, of_day = np.divmod(times, DAY)
    months = months_of(days)
    at_the_end = bool((months_of(days + 1) > months).all())
    same_day = at_the_end or len(np.unique(days - first_days(months))) == 1
    workdays = False
    if same_day and len(np.unique(of_day)) == 1 and len(np.unique(months)) > 1:
        step, share, gaps, missing = _usual(np.diff(months)[same])
        say, season = _MONTHS.get(step, (f"{step} months" if step % 12 else f"{step // 12} years", 1))
        size = step * _DAYS_OF_A_MONTH * DAY
    else:
        workdays = not is_weekend(days).any() and len(np.unique(of_day)) == 1 and len(np.unique(days)) > 6
        if workdays:  # from Friday to Monday is one step
            weeks, weekday = np.divmod(days + 3, 7)
            at = (5 * weeks + weekday) * DAY
        else:
            at = times
        step, share, gaps, missing = _usual(np.diff(at)[same])
        workdays = workdays and step == DAY
        if not workdays and at is not times:
            step, share, gaps, missing = _usual(np.diff(times)[same])
        say, season = _say(step), 5 if workdays else _season(step)
        size = step
    if share < _USUAL or not step:
        return Cadence("", 1, repeated=repeated, longest=longest)
    return Cadence(say, season, workdays, gaps, missing, repeated, longest, size=float(size / _SECOND))


def _of_numbers(times: np.ndarray, same: np.ndarray, repeated: int, longest: int) -> Cadence:
    step, share, gaps, missing = _usual(np.round(np.diff(times)[same], 9))
    if share < _USUAL or not step:
        return Cadence("", 1, repeated=repeated, longest=longest)
    return Cadence(f"{step:g}", 1, False, gaps, missing, repeated, longest, size=float(step))


def _usual(steps: np.ndarray) -> tuple[int, float, int, int]:
    """The most frequent step above 0, its share of all such, and the places and the number of missing steps."""
    steps = steps[steps > 0]
    if not len(steps):
        return 0, 0.0, 0, 0
    values, counts = np.unique(steps, return_counts=True)
    step = values[counts.argmax()]
    longer = steps[steps > 1.5 * step]
    missing = int((np.round(longer / step) - 1).sum())
    return step, float(counts.max() / len(steps)), len(longer), missing


def _say(step: int) -> str:
    if step and step % (7 * DAY) == 0:
        return "1 week" if step == 7 * DAY else f"{step // (7 * DAY)} weeks"
    for name, size in _UNITS:
        if step >= size and step % size == 0:
            return f"1 {name}" if step == size else f"{step // size} {name}s"
    return f"{step / _SECOND:g} seconds"


def _season(step: int) -> int:
    """The steps in a year of weeks, a week of days, or else in a day, an hour or a minute."""
    if step == 7 * DAY:
        return 52
    if step == DAY:
        return 7
    for whole in (DAY, DAY // 24, 60 * _SECOND):
        if 0 < step < whole and whole % step == 0 and whole // step <= _LONGEST_SEASON:
            return int(whole // step)
    return 1
