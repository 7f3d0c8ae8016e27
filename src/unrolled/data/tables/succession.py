"""Whether the rows of a live stream follow each other in time as those of the training data did."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from unrolled.data.io.day_numbers import DateOrder
from unrolled.data.io.timestamps import duration
from unrolled.data.tables.row_time import time_of_row
from unrolled.errors import counted, named

__all__ = ["Succession"]

_log = logging.getLogger(__name__)
_DAY, _WEEK = 86_400, 7 * 86_400
_MONDAY = 4 * _DAY  # the first one after 1970-01-01
_LONGER = 1.6  # steps; a long month, or the day of the change to winter time, is less

_SAY = {
    "back": ("row goes", "rows go", "back in time"),
    "again": ("row repeats", "rows repeat", "a time"),
    "gap": ("row leaves", "rows leave", "a gap"),
    "unread": ("row has", "rows have", "a time that cannot be read"),
}


class Succession:
    """Compares the time of each row with the latest one before it, and warns about the first row of each kind of fault.

    Every row is still answered as the next step: the model knows no other.

    Args:
        column: the column that orders the rows; ``None`` if there is none.
        step: the usual step of the training data, in seconds or in the unit of its numbers; 0 if there is none: then
            equal times and gaps are usual.
        workdays: whether steps skip Saturdays and Sundays.
        gap: the distance at which the training data starts a new sequence, such as ``30m``.
        order: how to read ``01/02/2024``.
        quiet: the rows are those of many streams, and nothing is said of them.

    Example:
        >>> days = Succession("date", 86_400)
        >>> before = []
        >>> for date in ("2024-01-01", "2024-01-02", "2024-01-02", "2024-01-07", "2024-01-06"):
        ...     before = days.look({"date": date}, before)
        >>> days.say()
        '1 row repeats a time, 1 row leaves a gap, 1 row goes back in time; each was answered as the next step'
    """

    def __init__(
        self,
        column: str | None,
        step: float = 0.0,
        workdays: bool = False,
        gap: str | None = None,
        order: DateOrder | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self.column, self._step, self._workdays, self._order, self._quiet = column, step, workdays, order, quiet
        self._gap, self._longest = gap, None if gap is None else duration(gap)
        self._latest = "the time of the snapshot"
        self._found: Counter[str] = Counter()

    def look(self, row: Mapping[str, Any], before: Sequence[float]) -> list[float]:
        """Look at the time of the next row; the memory for the one after it, and ``before`` for this one.

        Args:
            row: column -> value.
            before: the number of rows so far, and their latest time; empty at the start.
        """
        rows, latest = int(before[0]) + 1 if before else 1, before[1] if len(before) > 1 else None
        found = None if self.column is None else time_of_row(row, self.column, self._order)
        shown, now = found or ("", None)
        if now is None:
            if found is not None:
                self._warn("unread", rows, f"{shown} cannot be read as a time, so its order is not known")
            return [rows] if latest is None else [rows, latest]
        if latest is not None:
            self._compare(now, latest, shown, rows)
        if latest is None or now >= latest:
            latest, self._latest = now, shown
        return [rows, latest]

    def say(self) -> str:
        """How many rows had which fault, as a sentence; empty if none had."""
        if not self._found:
            return ""
        parts = [f"{counted(many, *_SAY[kind][:2])} {_SAY[kind][2]}" for kind, many in self._found.items()]
        return f"{', '.join(parts)}; each was answered as the next step"

    def _compare(self, now: float, latest: float, shown: str, row: int) -> None:
        passed = now - latest
        if passed < 0:
            self._warn("back", row, f"{shown} is before {self._latest}, the latest time so far")
        elif self._longest is not None:
            if passed > self._longest:
                far = f"{shown} is more than {named('gap')} {self._gap} after {self._latest}"
                self._warn("gap", row, f"{far}, where the training data starts a new sequence")
        elif self._step and passed == 0:
            self._warn("again", row, f"{shown} repeats {self._latest}, the latest time so far")
        elif self._step:
            steps = (passed - (_weekends(now) - _weekends(latest) if self._workdays else 0)) / self._step
            if steps > _LONGER:
                self._warn("gap", row, f"{shown} is {round(steps)} steps after {self._latest}, the latest time so far")

    def _warn(self, kind: str, row: int, message: str) -> None:
        if self._quiet:
            return
        self._found[kind] += 1
        if self._found[kind] == 1:
            _log.warning(
                "row %d of the stream, column %r: %s; it is answered as the next step", row, self.column, message
            )


def _weekends(time: float) -> float:
    """The seconds of Saturdays and Sundays between a Monday in 1970 and ``time``."""
    weeks, inside = divmod(time - _MONDAY, _WEEK)
    return weeks * 2 * _DAY + max(0.0, inside - 5 * _DAY)
