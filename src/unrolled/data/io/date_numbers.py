"""Numbers that stand for times: 20240131, and seconds, milliseconds, microseconds or nanoseconds since 1970."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.dates import Dates
from unrolled.data.io.day_numbers import DAY, days_of

__all__ = ["dates_in_numbers", "time_of_number"]

_EARLIEST, _LATEST = 631_152_000, 4_102_444_800  # 1990 and 2100, in seconds since 1970
_EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
# The digits of a written time: how many, the parts of it from the left, and how it is called.
_WRITTEN = {
    6: ("YYYYMM", (4, 2)),
    8: ("YYYYMMDD", (4, 2, 2)),
    10: ("YYYYMMDDhh", (4, 2, 2, 2)),
    12: ("YYYYMMDDhhmm", (4, 2, 2, 2, 2)),
    14: ("YYYYMMDDhhmmss", (4, 2, 2, 2, 2, 2)),
}
_ENOUGH = 5  # distinct numbers of the form YYYYMMDDhh, which seconds since 1970 may have too


def dates_in_numbers(numbers: pa.ChunkedArray) -> Dates | None:
    """The times that ``numbers`` stand for; ``None`` if they are no times, but small, large or calendar years.

    Args:
        numbers: (N,) integers, floats or decimals of a column that holds times, as its name or its part says.

    Example:
        >>> dates_in_numbers(pa.chunked_array([[1704067200000, 1704070800000]])).note
        'as milliseconds since 1970'
        >>> dates_in_numbers(pa.chunked_array([[20240131, None]])).values.to_pylist()
        [datetime.date(2024, 1, 31), None]
    """
    if pa.types.is_floating(numbers.type):
        numbers = pc.if_else(pc.is_finite(numbers), numbers, None)
    missing = pc.is_null(numbers).to_numpy()
    values = pc.fill_null(pc.cast(numbers, pa.float64(), safe=False), 0).to_numpy()
    if missing.all():
        return None
    written = _written(values, missing)
    if written is not None:
        return written
    known = values[~missing]
    for unit, per_second in _EPOCHS.items():
        if (known >= _EARLIEST * per_second).all() and (known <= _LATEST * per_second).all():
            if pa.types.is_integer(numbers.type):  # exact, where float64 is not
                whole = pc.fill_null(numbers.cast(pa.int64()), 0).to_numpy()
                micros = whole // (per_second // 10**6) if per_second > 10**6 else whole * (10**6 // per_second)
            else:
                micros = np.round(values / per_second * 1e6).astype(np.int64)
            stamps = pa.array(micros, mask=missing).cast(pa.timestamp("us"))
            return Dates(pa.chunked_array([stamps]), note=f"as {unit} since 1970")
    return None


def time_of_number(number: float) -> float:
    """A number as seconds since 1970 if it stands for a time as in `dates_in_numbers`, else unchanged.

    Example:
        >>> time_of_number(1704067200000), time_of_number(12.5)
        (1704067200.0, 12.5)
    """
    found = dates_in_numbers(pa.chunked_array([pa.array([number])])) if number > 1e5 else None
    if found is None:
        return number
    return float(pc.cast(found.values.cast(pa.timestamp("us")), pa.int64())[0].as_py()) / 1e6


def _written(values: np.ndarray, missing: np.ndarray) -> Dates | None:
    known = values[~missing]
    if (known != np.floor(known)).any() or known.min() < 1e5:
        return None
    digits = len(str(int(known.min())))
    if digits not in _WRITTEN or len(str(int(known.max()))) != digits:
        return None
    say, sizes = _WRITTEN[digits]
    if digits == 10 and len(np.unique(known)) < _ENOUGH:
        return None
    rest = np.where(missing, known[0], values).astype(np.int64)
    parts: list[np.ndarray] = []
    for size in reversed(sizes):
        rest, part = np.divmod(rest, 10**size)
        parts.insert(0, part)
    parts += [np.zeros_like(rest)] * (6 - len(parts))
    year, month, day, hour, minute, second = parts
    day = day if len(sizes) > 2 else np.ones_like(day)
    days, right = days_of(year, month, day)
    right &= (year >= 1800) & (year <= 2200) & (hour <= 23) & (minute <= 59) & (second <= 59)
    if not right.all():
        return None
    if len(sizes) <= 3:
        dates = pa.array(days.astype(np.int32), mask=missing).cast(pa.date32())
    else:
        micros = days * DAY + (3600 * hour + 60 * minute + second) * 1_000_000
        dates = pa.array(micros, mask=missing).cast(pa.timestamp("us"))
    return Dates(pa.chunked_array([dates]), note=f"as {say}")
