"""What the rows of a flat table are, when nobody says: steps of one or more series, events, or examples."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings._labels import looks_like_labels, repeats
from unrolled.data.io.column_names import names_a_part_of_time, names_a_time, names_an_actor, names_an_item
from unrolled.data.io.number_types import is_number
from unrolled.data.tables.cadence import Cadence, cadence_of, clock_of_times
from unrolled.data.tables.composed import with_key
from unrolled.data.tables.grouping import codes
from unrolled.errors import DataError, Origin, UsageError, named

__all__ = ["Layout", "find_layout", "parting"]

_FEWEST = 8  # steps of the longest series
_FEWEST_DATES = 4  # steps of a single series with dates
_REPEATED = 0.02  # share of the times of one series that may occur a second time
_FEW = 0.05  # share of the rows that may lack a time by mistake
_MOST_KEYS = 6  # columns of which pairs are tried
_STEP_NAMES = {
    *("t", "s", "ms", "step", "steps", "cycle", "frame", "tick", "second", "seconds", "minute", "hour", "hours"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found.

    Attributes:
        settled: options of reading, such as ``order`` and ``by``, as the user could have given them.
        remarks: lines that say so.
    """

    settled: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def find_layout(
    table: pa.Table,
    target: Collection[str],
    dropped: Collection[str],
    by: str | None = None,
    *,
    steps: bool = False,
    origin: Origin | None = None,
) -> Layout:
    """Find the column that orders the rows of ``table`` in time, and the one that names their series.

    Args:
        table: one value a cell; columns of dates are dates already.
        target: the columns to predict, if they were named.
        dropped: columns that are left out.
        by: the column that names the sequences, if the user named it.
        steps: whether the rows are steps in any case.
        origin: how errors name the table.

    Raises:
        DataError: the rows are the steps of a series but for a few that have no time, such as a line of totals.
        UsageError: the rows are events, and it is not clear of whom.

    Cost: O(rows) for each pair of a column of times and one of labels.
    """
    names = [name for name in table.column_names if name not in dropped]
    if not all(_flat(table.schema.field(name)) for name in names) or table.num_rows < _FEWEST_DATES:
        return Layout()
    if by is not None:
        return _in_order(table, names, by)
    times = [name for name in names if name not in target and pa.types.is_temporal(table.schema.field(name).type)]
    found = [one for name in times for one in _as_series(table, name, names, target)]
    if not times:
        found = [one for name in names if _counts_steps(name, target) for one in _as_series(table, name, names, target)]
    if found and (len(found) == 1 or _count_alike(table, found)):
        return _series(*min(found, key=lambda one: not names_a_time(one[0])))
    if not found and origin is not None:
        _refuse_missing_times(table, times, target, dropped, origin)
    if steps:
        return _series(times[0], None) if len(times) == 1 and not table.column(times[0]).null_count else Layout()
    return _events(table, times[0], names) if len(times) == 1 and not found and not target else Layout()


def _count_alike(table: pa.Table, found: list[tuple[str, str | None]]) -> bool:
    """Whether several columns order the same series in the same way, such as the year and the number of the step."""
    clocks = [clock_of_times(table.column(time)) for time, _ in found]
    orders = {np.argsort(at, kind="stable").tobytes() for at in clocks if at is not None}
    return len(orders) == 1 and len({by for _, by in found}) == 1


def _refuse_missing_times(
    table: pa.Table, times: list[str], target: Collection[str], dropped: Collection[str], origin: Origin
) -> None:
    for name in times:
        column = table.column(name)
        if 0 < column.null_count <= len(column) * _FEW:
            whole = table.filter(pc.is_valid(column))
            if find_layout(whole, target, dropped).settled.get("order") != name:
                continue
            rows = "row, such as a line of totals" if column.null_count == 1 else "rows, such as lines of totals"
            raise DataError(
                f"is empty in {column.null_count} of {len(column)} rows, and the others are the steps of series",
                file=origin,
                row=pc.index(pc.is_null(column), True).as_py() + 1,
                column=name,
                hint=f"leave out the {rows}, or fill in the times",
            )


def _flat(column: pa.Field) -> bool:
    return not pa.types.is_nested(column.type) and b"kind" not in (column.metadata or {})


def _counts_steps(name: str, target: Collection[str]) -> bool:
    return name not in target and (name.lower() in _STEP_NAMES or names_a_time(name))


def _series(order: str, by: str | None) -> Layout:
    flags = f"{named('order')} {order}" + (f" {named('by')} {by}" if by else "")
    what = f"the steps of a series for each {by!r}" if by else "the steps of one series"
    settled = {"order": order} | ({"by": by} if by else {})
    return Layout(settled, (f"the rows are {what}, in the order of {order!r} (as with {flags})",))


def _as_series(
    table: pa.Table, time: str, names: list[str], target: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    """The column of times and the one that parts the series, if the rows are steps of regular series."""
    at = clock_of_times(table.column(time))
    others = [name for name in names if name != time]
    measured = [name for name in others if _is_number(table.column(name)) and not names_an_actor(name)]
    free = [name for name in others if name not in target]
    if at is None or not np.isfinite(at).all() or any(_is_prose(table.column(name)) for name in others):
        return
    if not measured and not target:
        return
    if at.dtype != np.int64 and not _rises_in_runs(at):
        return
    cadence = cadence_of(at)
    if not cadence.repeated:
        if cadence.regular and cadence.longest >= (_FEWEST_DATES if at.dtype == np.int64 else _FEWEST):
            yield time, _closing(table, at, free, cadence)
        return
    by = parting(table, at, free)
    if by is not None and (set(measured) - {by, *by.split(",")} or target):
        yield time, by
    elif by is None and at.dtype == np.int64:
        few = cadence.repeated <= _REPEATED * len(at)  # such as an hour when the clocks go back
        alike = len(others) == len(measured) == 1 and len(np.unique(np.unique(at, return_counts=True)[1])) == 1
        if cadence.regular and (few or alike):
            yield time, None


def _closing(table: pa.Table, at: np.ndarray, names: list[str], cadence: Cadence) -> str | None:
    """The column that parts a series with many gaps into some without: two meters seldom tell at one instant."""
    if cadence.gaps < _FEWEST:
        return None
    by = parting(table, at, names)
    if by is None:
        return None
    parts = cadence_of(at, codes(with_key(table, by).column(by)))
    return by if _FEWEST * parts.gaps <= cadence.gaps else None


def _rises_in_runs(at: np.ndarray) -> bool:
    """Whether numbers count steps: they rise, and begin anew a few times at most."""
    return int((np.diff(at) < 0).sum()) <= len(at) // _FEWEST and len(np.unique(at)) >= _FEWEST


def parting(table: pa.Table, at: np.ndarray, names: Collection[str]) -> str | None:
    """The column of labels that parts the rows into regular series in which no time occurs twice.

    Where several columns do, texts are preferred to numbers, and fewer series to more. Where none does, two of them may
    do so together: their names are joined by a comma.

    Args:
        table: one value a cell.
        at: (rows,) the times of the rows, as from `clock_of_times`.
        names: the columns that may part them.
    """
    groups = {
        name: codes(table.column(name))
        for name in names
        if _is_label(table.column(name)) and not table.column(name).null_count and not names_a_part_of_time(name)
    }
    groups = {name: group for name, group in groups.items() if 1 < int(group.max()) + 1 <= max(2, len(at) // 4)}
    found = [(not is_text(table.column(name).type), int(group.max()), name) for name, group in groups.items()]
    if (one := next((name for _, _, name in sorted(found) if _parts(at, groups[name])), None)) is not None:
        return one
    if len(groups) > _MOST_KEYS:
        return None
    pairs = itertools.combinations(groups, 2)
    return next((f"{a},{b}" for a, b in pairs if _parts(at, groups[a] * (int(groups[b].max()) + 1) + groups[b])), None)


def _parts(at: np.ndarray, series: np.ndarray) -> bool:
    """Whether no time occurs twice in any of the ``series``, and they are long and regular."""
    cadence = cadence_of(at, series)
    return not cadence.repeated and cadence.regular and cadence.longest >= _FEWEST


def _in_order(table: pa.Table, names: list[str], by: str) -> Layout:
    """The one column of times that orders the steps of the sequences that ``by`` names."""
    if by not in names:
        return Layout()
    times = [name for name in names if name != by and pa.types.is_temporal(table.schema.field(name).type)]
    if len(times) != 1 or table.column(times[0]).null_count:
        return Layout()
    at = clock_of_times(table.column(times[0]))
    if at is None:
        return Layout()
    series = codes(table.column(by))
    places = np.lexsort((at, series))
    changes = (np.diff(at[places]) > 0) & (np.diff(series[places]) == 0)
    if 2 * int(changes.sum()) < len(at) - int(series.max()) - 1:  # a date of the sequence, not of its steps
        return Layout()
    remark = f"the steps of each sequence are in the order of {times[0]!r} (as with {named('order')} {times[0]})"
    return Layout({"order": times[0]}, (remark,))


def _events(table: pa.Table, time: str, names: list[str]) -> Layout:
    """Who did what and when: the events of each of whom are one sequence."""
    others = [name for name in names if name != time]
    labels = [name for name in others if _is_label(table.column(name)) and repeats(table.column(name))]
    who = [name for name in labels if names_an_actor(name)]
    what = [name for name in labels if name not in who]
    if len(what) > 1:
        what = [name for name in what if names_an_item(name)] or what
    if len(labels) == len(others) == 2 and len(who) != 1:
        calls = [f"{named('by')} {name} {named('order')} {time}" for name in labels]
        ways = "; ".join(
            f"{call}: the {other!r} of each {name!r}"
            for call, name, other in zip(calls, labels, reversed(labels), strict=True)
        )
        raise UsageError(f"the rows look like events, but it is not clear whose: give one of {ways}")
    if len(who) != 1 or len(what) != 1:
        return Layout()
    settled: dict[str, Any] = {"by": who[0], "order": time, "inputs": tuple(what)}
    if pa.types.is_integer(table.schema.field(what[0]).type):
        settled["kinds"] = {what[0]: "tokens"}
    flags = f"{named('by')} {who[0]} {named('order')} {time} {named('inputs')} {what[0]}"
    remark = f"the rows are events: the {what[0]!r} of each {who[0]!r}, in the order of {time!r} (as with {flags})"
    return Layout(settled, (remark,))


def _is_number(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return is_number(kind) or bool(pa.types.is_decimal(kind))


def _is_label(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return bool(is_text(kind) or pa.types.is_integer(kind) or pa.types.is_dictionary(kind) or pa.types.is_boolean(kind))


def _is_prose(column: pa.ChunkedArray) -> bool:
    """Whether a column holds texts of several words that seldom repeat."""
    if not is_text(column.type) or looks_like_labels(column) or repeats(column):
        return False
    return bool(pc.any(pc.match_substring(column, " ")).as_py())
