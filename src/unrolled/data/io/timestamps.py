"""Times of events as seconds, and durations such as ``30m``. Axes: N events."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.date_numbers import dates_in_numbers, time_of_number
from unrolled.data.io.dates import DateOrder, dates_in_texts
from unrolled.data.io.number_types import is_number

__all__ = ["duration", "moment", "moments", "time_of_text"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """A duration in seconds; a number without a unit is returned unchanged.

    Example:
        >>> duration("30m"), duration("1.5h"), duration("90")
        (1800.0, 5400.0, 90.0)
    """
    return float(text[:-1]) * _UNITS[text[-1]] if text[-1] in _UNITS else float(text)


def moments(array: pa.ChunkedArray, fail: Callable[[str, int | None], Exception]) -> np.ndarray:
    """(N,) float64: dates and times as seconds since 1970, numbers as they are; NaN where a value is missing.

    Args:
        array: one value for each event.
        fail: makes the error to raise, from a message and the index of the value, where a value is neither.
    """
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = pc.cast(pc.cast(array, pa.timestamp("us", getattr(kind, "tz", None)), safe=False), pa.int64())
        return pc.cast(micros, pa.float64(), safe=False).to_numpy() / 1e6
    if is_number(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        found = None if pa.types.is_null(kind) else dates_in_numbers(array)
        if found is not None:
            return moments(found.values, fail)
        numbers: np.ndarray = pc.cast(array, pa.float64(), safe=False).to_numpy()
        return numbers
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = dates_in_texts(array, lambda index, message, _: fail(message, index), sure=True)
        if found is not None:
            return moments(found.values, fail)
    for index, value in enumerate(array.to_pylist()):
        if value is not None and moment(value) is None:
            raise fail(f"{str(value)[:40]!r} is neither a date or time nor a number", index)
    raise fail(f"holds {kind}, but must hold dates, times or numbers", None)


def moment(value: object, order: DateOrder | None = None) -> float | None:
    """One value as `moments` returns it, which may also be a text; ``None`` if it is neither a time nor a number.

    Args:
        value: a number, a date or time, or a text.
        order: how to read ``01/02/2024``.

    Example:
        >>> moment("1970-01-02"), moment(5), moment("1970-01-01T01:00+01:00"), moment("soon")
        (86400.0, 5.0, 0.0, None)
    """
    if isinstance(value, str):
        text = value
        try:
            value = float(text)
        except ValueError:
            value = time_of_text(text, order)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
    return time_of_number(float(value)) if isinstance(value, int | float | np.number) else None


def time_of_text(text: str, order: DateOrder | None = None) -> datetime.datetime | datetime.date | None:
    """The date or time that one text stands for, with the zone that it has; ``None`` if it is none, or could be two.

    Args:
        text: the text.
        order: how to read ``01/02/2024``, if known.

    Example:
        >>> time_of_text("31/01/2024"), time_of_text("2024-01-31 01:00 PM"), time_of_text("01/02/2024")
        (datetime.date(2024, 1, 31), datetime.datetime(2024, 1, 31, 13, 0), None)
    """
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        found = dates_in_texts(pa.chunked_array([[text]]), lambda _, message, __: ValueError(message), order, sure=True)
    except ValueError:
        return None
    time: datetime.datetime | datetime.date | None = None if found is None else found.values[0].as_py()
    return time
