"""The time of one live row, also where the table holds it in several columns, as a date and a clock."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from unrolled.data.io.day_numbers import DateOrder
from unrolled.data.io.timestamps import moment
from unrolled.data.tables.composed import CLOCK, DATE, PARTS, with_date_of_numbers

__all__ = ["time_of_row"]

_BARE = re.compile(r"[^:T]*")  # texts of dates have no clock in them


def time_of_row(row: Mapping[str, Any], column: str, order: DateOrder | None) -> tuple[str, float | None] | None:
    """The time of ``row`` as it is written, and in seconds or as a number, which is ``None`` if it cannot be read.

    The result is ``None`` if the row has no such column. A clock or an hour in a separate column is added to a date, as
    in tables (`with_clock`).

    Args:
        row: column -> value.
        column: the column that orders the rows.
        order: how to read ``01/02/2024``.

    Example:
        >>> time_of_row({"date": "1970-01-02", "time": "01:00", "load": 5}, "date", None)
        ("'1970-01-02 01:00'", 90000.0)
        >>> time_of_row({"year": "1970", "month": "2", "load": 5}, "date", None)
        ("'1970-02-01'", 2678400.0)
    """
    if column not in row:
        made = _of_numbers(row) if column == DATE else None
        return None if made is None else (f"'{made}'", moment(made))
    value = row[column]
    at = moment(value, order)
    shown = str(value)
    if at is not None and _is_bare(value):
        others = {name: cell for name, cell in row.items() if name != column}
        clocks = {name: found for name, cell in others.items() if (found := _clock(name, cell)) is not None}
        if len(clocks) == 1:
            ((name, seconds),) = clocks.items()
            at, shown = at + seconds, f"{shown} {row[name]}"
    return f"{shown[:40]!r}", at if at is not None and math.isfinite(at) else None


def _is_bare(value: object) -> bool:
    if isinstance(value, str):
        return _BARE.fullmatch(value.strip()) is not None and not value.strip().isdigit()
    return isinstance(value, date) and not isinstance(value, datetime)


def _clock(name: str, cell: object) -> float | None:
    """The seconds of a time of the day, or of an hour, which may go from 1 to 24."""
    if isinstance(cell, time):
        return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
    if name.lower() in PARTS["hour"]:
        with contextlib.suppress(ValueError, TypeError):
            return float(cell) * 3600  # type: ignore[arg-type]
    found = re.match(CLOCK, cell) if isinstance(cell, str) and "time" in name.lower() else None
    return found and int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"] or 0)


def _of_numbers(row: Mapping[str, Any]) -> date | datetime | None:
    """The date that a row's year, month and so on make."""
    named = {part: [name for name in row if name.lower() in called] for part, called in PARTS.items()}
    cells = {names[0]: row[names[0]] for names in named.values() if len(names) == 1}
    with contextlib.suppress(ValueError, TypeError):
        numbers = {
            name: [cell if isinstance(cell, str) and cell.strip().isalpha() else int(cell)]
            for name, cell in cells.items()
        }
        table = with_date_of_numbers(pa.table(numbers), ()).table
        return table.column(DATE)[0].as_py() if DATE in table.column_names else None
    return None
