"""Columns made of several others: a time of a date and a clock, a date of its numbers, a key of several names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text, plain
from unrolled.data.encodings.encoding import ENCODINGS
from unrolled.data.io.date_forms import MONTHS
from unrolled.data.io.day_numbers import days_of
from unrolled.data.io.elapsed import counted_in, counted_up
from unrolled.data.tables.dated import whole_seconds

__all__ = ["CLOCK", "DATE", "PARTS", "Composed", "with_clock", "with_date_of_numbers", "with_key", "with_seconds"]

DATE = "date"  # the name of a column that is made of year, month and so on
CLOCK = r"^\s*(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?\s*$"
PARTS = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mo", "mon", "mnth", "mm"),
    "day": ("day", "dom", "dd", "mday"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
}
_QUARTER = ("quarter", "qtr", "q")
_RANGES = {"year": (1800, 2200), "month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59)}
_SECOND = 1_000_000
_SURE = 90  # the score of an encoding that recognises its own


@dataclass(frozen=True, slots=True)
class Composed:
    """A table with a column that is made of others.

    Attributes:
        table: the table.
        dropped: column -> why it is left out, as a phrase to follow "it".
        remark: what the user should know; empty if nothing was made.
    """

    table: pa.Table
    dropped: dict[str, str] = field(default_factory=dict)
    remark: str = ""


def with_key(table: pa.Table, by: str | None) -> pa.Table:
    """Add a column of the texts of several, joined by commas, if ``by`` names them so and is not a column itself.

    Example:
        >>> with_key(pa.table({"store": ["A"], "item": [7]}), "store,item").column("store,item").to_pylist()
        ['A,7']
    """
    names = (by or "").split(",")
    if by is None or len(names) < 2 or by in table.column_names or not {*names} <= {*table.column_names}:
        return table
    parts = [table.column(name) for name in names]
    if any(pa.types.is_nested(part.type) for part in parts):
        return table
    return table.append_column(by, pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), ","))


def with_clock(table: pa.Table, dropped: Collection[str], *, later: bool = False) -> Composed:
    """Add the one column of times of the day, or of whole hours, to the one column of dates, where dates repeat.

    Where each date stands once, the times rather say how long something took.

    Args:
        table: columns of dates are dates already.
        dropped: columns that are left out.
        later: whether a model reads the table, which may be short: its times are added unless they are ``dropped``.
    """
    names = [name for name in table.column_names if name not in dropped]
    dates = [name for name in names if pa.types.is_date(table.schema.field(name).type)]
    if len(dates) != 1:
        return Composed(table)
    date = table.column(dates[0])
    if not later and pc.count_distinct(date).as_py() == len(date) - date.null_count:
        return Composed(table)
    found = {name: micros for name in names if (micros := _clock(table.column(name), name)) is not None}
    if not found:
        found = {name: micros for name in names if (micros := _hours(table.column(name), name)) is not None}
    if len(found) != 1:
        return Composed(table)
    ((name, micros),) = found.items()
    days = date.cast(pa.timestamp("us")).cast(pa.int64())
    column = pc.add(days, pa.chunked_array([micros])).cast(pa.timestamp("us"))
    column = whole_seconds(column)
    place = table.column_names.index(dates[0])
    whole = pa.types.is_integer(table.column(name).type)
    left = {} if whole else {name: f"is the time of day in {dates[0]!r}"}
    return Composed(table.set_column(place, dates[0], column), left, f"{name!r} is added to {dates[0]!r}")


def with_seconds(table: pa.Table, dropped: Collection[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """``table`` with numbers in its columns of times of the day and of durations, and what to say about them.

    Example:
        >>> with_seconds(pa.table({"pace": ["5:23", "6:01"]}), ())[0].column("pace").to_pylist()
        [323.0, 361.0]
    """
    remarks = []
    for index, name in enumerate(table.column_names):
        column = plain(table.column(index))
        if name in dropped or (numbers := counted_up(column)) is None or _has_a_kind(column):
            continue
        table = table.set_column(index, name, numbers)
        remarks.append(f"{name!r} {counted_in(column, numbers)}")
    return table, tuple(remarks)


def _has_a_kind(texts: pa.ChunkedArray) -> bool:
    """Whether the encoding of another package is sure that such texts are its own."""
    return any(encoding.recognises(texts) >= _SURE for encoding in ENCODINGS.members().values())


def with_date_of_numbers(table: pa.Table, dropped: Collection[str]) -> Composed:
    """Add a column ``date`` made of those named year, month and, if they exist, day, hour, minute; or year and quarter.

    They hold whole numbers, or the names of months.

    Example:
        >>> with_date_of_numbers(pa.table({"Year": [2024], "Month": [3]}), ()).table.column("date").to_pylist()
        [datetime.date(2024, 3, 1)]
    """
    names = [name for name in table.column_names if name not in dropped]
    found: dict[str, str] = {}
    for part, called in PARTS.items():
        alike = [name for name in names if name.lower() in called]
        if part == "month" and not alike:
            alike = [name for name in names if name.lower() in _QUARTER and _within(table.column(name), 1, 4)]
            if len(alike) == 1:
                found[part] = alike[0]
            break
        if len(alike) != 1 or not _is_part(table.column(alike[0]), part):
            break
        found[part] = alike[0]
    if len(found) < 2 or DATE in table.column_names:
        return Composed(table)
    values = {part: _numbers(table.column(name), part) for part, name in found.items()}
    one, none = np.ones(table.num_rows, np.int64), np.zeros(table.num_rows, np.int64)
    if found["month"].lower() in _QUARTER:
        values["month"] = 3 * values["month"] - 2
    days, known = days_of(values["year"], values["month"], values.get("day", one))
    if not known.all():
        return Composed(table)
    if "hour" in values:
        seconds = 86_400 * days + 3600 * values["hour"] + 60 * values.get("minute", none)
        column = pa.array(seconds).cast(pa.timestamp("s"))
    else:
        column = pa.array(days.astype(np.int32)).cast(pa.date32())
    listed = ", ".join(repr(name) for name in found.values())
    left = dict.fromkeys(found.values(), f"is a part of {DATE!r}")
    return Composed(table.append_column(DATE, column), left, f"{DATE!r} is made of {listed}")


def _is_part(column: pa.ChunkedArray, part: str) -> bool:
    if part == "month" and is_text(plain(column).type):
        return not column.null_count and bool(_numbers(column, part).all())
    return _within(column, *_RANGES[part])


def _numbers(column: pa.ChunkedArray, part: str) -> np.ndarray:
    """(N,) int64; 0 for a name that is not a month."""
    if part == "month" and is_text(plain(column).type):
        name = pc.utf8_lower(pc.utf8_slice_codeunits(plain(column), 0, 3))
        column = pc.add(pc.fill_null(pc.index_in(name, pa.array(MONTHS)), -1), 1)
    numbers: np.ndarray = column.cast(pa.int64()).to_numpy()
    return numbers


def _within(column: pa.ChunkedArray, low: int, high: int) -> bool:
    if column.null_count or not len(column):
        return False
    if pa.types.is_floating(column.type):  # 1959.0
        return pc.all(pc.equal(pc.floor(column), column)).as_py() and _within(column.cast(pa.int64()), low, high)
    if not pa.types.is_integer(column.type):
        return False
    ends = pc.min_max(column).as_py()
    return bool(low <= ends["min"] and ends["max"] <= high)


def _clock(column: pa.ChunkedArray, name: str) -> pa.Array | None:
    """(N,) int64 microseconds of the day, if the column holds times of the day."""
    if pa.types.is_time(column.type):
        return column.cast(pa.time64("us"), safe=False).cast(pa.int64()).combine_chunks()
    if not is_text(column.type) or "time" not in name.lower() or column.null_count == len(column):
        return None
    parts = pc.extract_regex(column.combine_chunks(), CLOCK)
    if parts.null_count > column.null_count:
        return None
    hour, minute, second = (
        pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64())
        for text in (parts.field(part) for part in ("hour", "minute", "second"))
    )
    micros = pc.multiply(pc.add(pc.add(pc.multiply(hour, 3600), pc.multiply(minute, 60)), second), _SECOND)
    return pc.if_else(pc.is_valid(parts), micros, None)


def _hours(column: pa.ChunkedArray, name: str) -> pa.Array | None:
    """(N,) int64 microseconds of the day, if the column counts hours from 0 to 23, or from 1 to 24."""
    if name.lower() not in PARTS["hour"] or not _within(column, 0, 24):
        return None
    first = 1 if pc.max(column).as_py() == 24 else 0
    if pc.min(column).as_py() < first:
        return None
    hours = pc.subtract(column.cast(pa.int64()), first)
    return pc.multiply(hours, 3600 * _SECOND).combine_chunks()
