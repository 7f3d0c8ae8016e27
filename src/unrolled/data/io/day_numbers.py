"""Parts of dates as days since 1970, and the order in which day, month and year were written. Axes: U dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "DAY",
    "SAY",
    "DateOrder",
    "Undecided",
    "clock_of",
    "days_of",
    "first_days",
    "full_year",
    "in_order",
    "is_weekend",
    "months_of",
    "weeks_of",
]

DateOrder = Literal["dmy", "mdy", "ymd"]
DAY = 86_400_000_000  # microseconds
SAY = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}


def months_of(days: np.ndarray) -> np.ndarray:
    """(U,) int64 months since January 1970, from days since 1970."""
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


def first_days(months: np.ndarray) -> np.ndarray:
    """(U,) int64 days since 1970 on which months begin, which are counted from January 1970."""
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))


def is_weekend(days: np.ndarray) -> np.ndarray:
    """(U,) bool: whether days since 1970-01-01, a Thursday, are a Saturday or Sunday."""
    return np.asarray((days + 3) % 7 >= 5)


def days_of(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(U,) days since 1970, and whether there is such a day."""
    months = (year - 1970) * 12 + month - 1
    days = first_days(months) + day - 1
    return days, (months_of(days) == months) & (month >= 1) & (month <= 12) & (day >= 1)


def weeks_of(year: np.ndarray, week: np.ndarray, weekday: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days of ISO 8601: week 1 holds the 4th of January."""
    begins, stops = _first_monday(year), _first_monday(year + 1)
    days = begins + 7 * (week - 1) + weekday - 1
    return days, (week >= 1) & (days < stops)


def _first_monday(year: np.ndarray) -> np.ndarray:
    """The day on which week 1 begins."""
    fourth = first_days((year - 1970) * 12) + 3
    return np.asarray(fourth - (fourth + 3) % 7)  # day 0, 1970-01-01, was a Thursday


def full_year(year: np.ndarray) -> np.ndarray:
    """Two digits are a year from 1969 to 2068, as in POSIX."""
    return np.where(year >= 100, year, np.where(year < 69, 2000, 1900) + year)


class Undecided(Exception):
    """Several orders of day, month and year fit all cells."""

    def __init__(self, orders: list[DateOrder]) -> None:
        super().__init__(orders)
        self.orders = orders


def in_order(
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    clock: np.ndarray,
    fits: np.ndarray,
    order: DateOrder | None,
    *,
    dotted: bool,
) -> tuple[np.ndarray, np.ndarray, DateOrder | None, str]:
    """Days and whether there is such a day, by the given order or the one that fits all cells.

    Args:
        parts: the three numbers of each date, as they stand.
        clock: the time of day of each, in microseconds.
        fits: which cells have the form of a date.
        order: how to read the numbers; ``None``: the one way that fits all cells.
        dotted: whether points divide the numbers, as they do where the day comes first.

    Returns:
        the days since 1970, whether there is such a day, the order if the cells show it, and a note on how it was
        found.

    Raises:
        Undecided: several orders fit all cells.
    """
    a, b, c = parts
    readings: dict[DateOrder, tuple[np.ndarray, np.ndarray]] = {
        "dmy": days_of(full_year(c), b, a),
        "mdy": days_of(full_year(c), a, b),
    }
    if (c[fits] < 100).all():
        readings["ymd"] = days_of(full_year(a), b, c)
    if order in readings:
        return *readings[order], order, ""
    fitting = [name for name, (_, known) in readings.items() if known[fits].all()]
    if dotted and "dmy" in fitting:  # nobody writes 12.31.2024
        fitting = ["dmy"]
    if len(fitting) > 1:
        regular = [name for name in fitting if _regular(readings[name][0][fits], clock[fits])]
        if len(regular) != 1:
            raise Undecided(fitting)
        return *readings[regular[0]], regular[0], f"{SAY[regular[0]]}, which makes its steps equal"
    surest = max(readings, key=lambda name: int(readings[name][1][fits].sum()))
    chosen = fitting[0] if fitting else surest
    return *readings[chosen], chosen, SAY[chosen] if fitting and not dotted else ""


def _regular(days: np.ndarray, clock: np.ndarray) -> bool:
    """Whether there are at least 4 times, all equally far apart, or the same day of months equally far apart."""
    times = np.unique(days * DAY + clock)
    if len(times) < 4:
        return False
    days = np.unique(days)
    months = months_of(days)
    monthly = len(np.unique(days - first_days(months))) == 1 and len(np.unique(np.diff(months))) == 1
    return bool((monthly and len(times) == len(days)) or len(np.unique(np.diff(times))) == 1)


def clock_of(number: Callable[..., np.ndarray], half: pa.Array | None) -> tuple[np.ndarray, np.ndarray]:
    """(U,) microseconds of the day, and whether a clock can show them; 24:00 is the end of the day."""
    hour, minute, second = number("hour"), number("minute"), number("second")
    right = (hour <= 24) & (minute <= 59) & (second <= 60) & ((hour < 24) | (minute + second == 0))
    if half is not None:
        said = pc.fill_null(pc.not_equal(half, ""), False).to_numpy(zero_copy_only=False)
        after = pc.fill_null(pc.equal(pc.utf8_lower(half), "p"), False).to_numpy(zero_copy_only=False)
        right &= ~said | ((hour >= 1) & (hour <= 12))
        hour = np.where(said, hour % 12 + 12 * after, hour)
    return (3600 * hour + 60 * minute + second) * 1_000_000 + number("fraction"), right
