r"""Calendar: time of day, day of the week and day of the year, each as a point on a circle.

.. math:: (\sin 2\pi u_k, \cos 2\pi u_k), \quad u = (\text{day}, \text{week}, \text{year}), \; 0 \le u_k < 1

Midnight is next to 23:59, and Sunday next to Monday. Nothing is learned from the training split. With equal steps, the
point h steps later is a fixed rotation of the current one, so that a linear map of the last step gives the calendar of
every later step. A missing time is the centre of the circles, 0.

A model only reads dates and times if you ask for it: ``--order date --kinds date=calendar``.

Axes: N times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.batch import Continuous
from unrolled.config import Part
from unrolled.data.encodings._cells import Fail, is_text, live, open_cells, plain
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.io.dates import dates_in_texts
from unrolled.data.io.timestamps import time_of_text

__all__ = ["Calendar"]

_WIDTH = 6
_DAY, _WEEK, _YEAR = 86_400, 7, 365.2425  # seconds; days


class _Stored(Stored):
    kind: Literal["calendar"]
    time: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """A column of dates or times, or of texts that are.

    Attributes:
        time: True for one value per step, False for one per row.

    Example:
        >>> from datetime import datetime
        >>> column = pa.chunked_array([[[datetime(2024, 1, 1, 6), datetime(2024, 1, 1, 18)]]])
        >>> calendar = Calendar.fit(column, Calendar.Options(), Role(), Where("memory", "hour"))
        >>> calendar.encode(column, Where("memory", "hour")).values[:, 0]
        array([ 1., -1.], dtype=float32)
    """

    Options: ClassVar[type[Part]] = Part

    kind: ClassVar[str] = "calendar"
    traits: ClassVar[Traits] = Traits(clock=True)
    rule: ClassVar[str] = (
        "sine and cosine of the turn of the day, of the week from Monday, and "
        "of the year of 365.2425 days; 0 where it is missing"
    )

    time: bool

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """90 for dates and times; 60 for lists of them, which are more likely the times of the steps."""
        cell = plain(array).type
        value = cell.value_type if has_time(cell) else cell
        return (60 if has_time(cell) else 90) if pa.types.is_timestamp(value) or pa.types.is_date(value) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Part, role: Role, where: Where) -> Self:
        """Learn only whether there is one value per row or per step.

        Raises:
            DataError: a value is not a date or time.
        """
        calendar = cls(has_time(plain(array).type))
        calendar.encode(array, where)
        return calendar

    @classmethod
    def statistics(cls, options: Part, role: Role, where: Where, *, time: bool) -> CalendarStatistics:
        """Nothing is collected: each part is only looked at."""
        return CalendarStatistics(time)

    @property
    def spec(self) -> Continuous:
        """Six numbers: sine and cosine on each of three circles."""
        return Continuous(_WIDTH, time=self.time)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, 6) float32: sine and cosine of the day, of the week, of the year.

        Raises:
            DataError: a value is not a date or time.
        """
        cells = open_cells(array, where, self.time)
        return Encoded(_points(cells.flat, cells.error), cells.offsets)

    def decode(self, values: np.ndarray) -> list[Any]:
        """The six numbers of each time, as lists."""
        points: list[Any] = values.tolist()
        return points

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, 6) float32 of one time, and an empty memory. ``None`` and ``""`` are missing values.

        Raises:
            DataError: it is not a date or time.
        """
        fail = live(where)
        if value is not None and not isinstance(value, str | date):
            raise fail(0, f"{str(value)[:40]!r} is not a date or time", None)
        return _points(pa.chunked_array([[None if value == "" else value]]), fail), []

    def to_config(self) -> dict[str, Any]:
        """The form of the column, as JSON."""
        return {"kind": self.kind, "time": self.time}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        return cls(load(_Stored, config, cls.kind).time)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """The number of missing times, or ``""``."""
        missing = int((~encoded.values.any(1)).sum())
        return f"{missing} of {len(encoded.values)} times missing" if missing else ""

    def report(self) -> str:
        """A one-line summary."""
        return "calendar: time of day, day of the week, day of the year"


class CalendarStatistics:
    """Looks at the times of the training split part by part."""

    def __init__(self, time: bool) -> None:
        self._calendar = Calendar(time)

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Look at the next part.

        Raises:
            DataError: a value is not a date or time.
        """
        self._calendar.encode(array, where)

    def fitted(self) -> Calendar:
        """The encoding."""
        return self._calendar


def _points(flat: pa.ChunkedArray, fail: Fail) -> np.ndarray:
    """(N, 6) float32."""
    moments = _moments(flat, fail)
    known = pc.is_valid(moments).to_numpy()

    def part(of: Any) -> np.ndarray:
        return np.asarray(pc.fill_null(of(moments), 0).to_numpy(), np.float64)

    day = (3600 * part(pc.hour) + 60 * part(pc.minute) + part(pc.second) + part(pc.subsecond)) / _DAY
    week = (part(pc.day_of_week) + day) / _WEEK
    year = (part(pc.day_of_year) - 1 + day) / _YEAR
    turns = 2 * np.pi * np.stack([day, week, year], 1)  # (N, 3)
    points = np.stack([np.sin(turns), np.cos(turns)], 2).reshape(-1, _WIDTH)
    return np.where(known[:, None], points, 0.0).astype(np.float32)


def _moments(flat: pa.ChunkedArray, fail: Fail) -> pa.ChunkedArray:
    """The values as timestamps; those with a time zone keep it."""
    if pa.types.is_timestamp(flat.type):
        return flat
    if not (is_text(flat.type) or pa.types.is_date(flat.type) or pa.types.is_null(flat.type)):
        raise fail(0, f"{flat.type} is not a date or time", "choose another kind")
    if not is_text(flat.type):
        return flat.cast(pa.timestamp("us"))
    found = dates_in_texts(flat, fail, sure=True)
    if found is not None:
        return found.values if pa.types.is_timestamp(found.values.type) else found.values.cast(pa.timestamp("us"))
    texts = [(index, text) for index, text in enumerate(flat.to_pylist()) if text is not None and text.strip()]
    if not texts:
        return pa.chunked_array([pa.nulls(len(flat), pa.timestamp("us"))])
    index, text = next(((index, text) for index, text in texts if time_of_text(text) is None), texts[0])
    raise fail(index, f"{text[:40]!r} is not a date or time", "write them as YYYY-MM-DD HH:MM")


MEMBER = Calendar
