"""What is said about the times of a table's rows, or refused, before the rows become steps of sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from unrolled.data.io.column_names import words_of
from unrolled.data.io.number_types import is_number
from unrolled.data.tables.cadence import Cadence, cadence_of, clock_of_times
from unrolled.data.tables.grouping import codes
from unrolled.data.tables.row_layout import parting
from unrolled.errors import Origin, UsageError, named

__all__ = ["look_at_times"]

_SEASONS = {"hour": 24, "day": 7, "week": 52, "month": 12, "quarter": 4, "minute": 60, "second": 60}
_MANY = 0.2  # share of the rows at a time that another row has too


def look_at_times(table: pa.Table, by: str | None, order: str, origin: Origin) -> tuple[Cadence | None, str]:
    """The cadence of the rows in the order of the column ``order``, and what to say about it.

    Args:
        table: a row for each step.
        by: the column that names the series.
        order: the column that orders them.
        origin: how errors name the table.

    Raises:
        UsageError: many rows have the same time, and another column parts them into regular series.
    """
    if order not in table.column_names or (by is not None and by not in table.column_names):
        return None, ""  # refused where the rows are grouped
    at = clock_of_times(table.column(order))
    if at is None or not np.isfinite(at).all() or len(at) < 2 or pa.types.is_nested(table.column(by or order).type):
        return None, ""
    series = np.zeros(len(at), np.int64) if by is None else codes(table.column(by))
    cadence = cadence_of(at, series)
    if by is None and cadence.repeated >= _MANY * len(at):
        _refuse_mixed(table, order, at, origin)
    if not pa.types.is_temporal(table.column(order).type):
        if cadence.step == "1" and (units := _SEASONS.keys() & words_of(order)):
            cadence = replace(cadence, season=_SEASONS[units.pop()])
        return cadence, cadence.say(order) if cadence.regular and (cadence.repeated or cadence.gaps) else ""
    measured = [field.type for field in table.schema if field.name not in (by, order)]
    if not cadence.regular and not any(map(is_number, measured)):
        return cadence, ""  # events are seldom in equal steps
    line = cadence.say(order)
    steps = np.diff(at)[np.diff(series) == 0]
    if len(steps) and (steps <= 0).all() and (steps < 0).any():
        line += "; the rows run backwards and are sorted"
    return cadence, line


def _refuse_mixed(table: pa.Table, order: str, at: np.ndarray, origin: Origin) -> None:
    flat = [field.name for field in table.schema if field.name != order and not pa.types.is_nested(field.type)]
    found = parting(table, at, flat)
    if found is not None:
        most = int(np.unique(at, return_counts=True)[1].max())
        raise UsageError(
            f"{origin}: up to {most} rows have the same {order!r}, and {found!r} parts them into series in which no "
            f"time occurs twice: add {named('by')} {found}"
        )
