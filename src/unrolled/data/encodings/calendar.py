r"""Calendar: where a moment stands in its day, its week and its year, each as a point on a circle.

.. math:: (\sin 2\pi u_k, \cos 2\pi u_k), \quad u = (\text{day}, \text{week}, \text{year}), \; 0 \le u_k < 1

Midnight lies beside the minute before it, Sunday beside Monday. Nothing is learned from the training split. The point h
equal steps later is the same rotation of this one wherever it is, so that the calendar of every step that is asked for
is a linear map of the last one's. A moment that is missing is the middle of the circles, 0.

Dates and times are left out of a model unless they are asked for: ``--order date --kinds date=calendar``.

Axes: N moments.
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
from unrolled.data.encodings.base import Encoded, Role, Traits, Where, has_time

__all__ = ["Calendar"]

_WIDTH = 6
_DAY, _WEEK, _YEAR = 86_400, 7, 365.2425  # seconds; days


class _Stored(Stored):
    kind: Literal["calendar"]
    time: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """A column of dates or times, or of ISO 8601 texts of them.

    Attributes:
        time: whether there is one a step, or one a row.

    Example:
        >>> from datetime import datetime
        >>> column = pa.chunked_array([[[datetime(2024, 1, 1, 6), datetime(2024, 1, 1, 18)]]])
        >>> calendar = Calendar.fit(column, Calendar.Options(), Role(), Where("memory", "hour"))
        >>> calendar.encode(column, Where("memory", "hour")).values[:, 0]
        array([ 1., -1.], dtype=float32)
    """

    Options: ClassVar[type[Part]] = Part  # it has none

    kind: ClassVar[str] = "calendar"
    traits: ClassVar[Traits] = Traits(clock=True)

    time: bool

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """Dates and times, alone or in lists, which are rather the steps' own times."""
        cell = plain(array).type
        value = cell.value_type if has_time(cell) else cell
        return (60 if has_time(cell) else 90) if pa.types.is_timestamp(value) or pa.types.is_date(value) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Part, role: Role, where: Where) -> Self:
        """Learn nothing but the column's form.

        Raises:
            DataError: a value is no moment.
        """
        calendar = cls(has_time(plain(array).type))
        calendar.encode(array, where)
        return calendar

    @property
    def spec(self) -> Continuous:
        """Sine and cosine of three circles."""
        return Continuous(_WIDTH, time=self.time)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, 6) float32: sine and cosine of the day, of the week, of the year.

        Raises:
            DataError: a value is no moment.
        """
        cells = open_cells(array, where, self.time)
        return Encoded(_points(cells.flat, cells.error), cells.offsets)

    def decode(self, values: np.ndarray) -> list[Any]:
        """The points themselves, as lists."""
        points: list[Any] = values.tolist()
        return points

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, 6) float32 of one moment, and nothing to remember; ``None`` and ``""`` are missing.

        Raises:
            DataError: it is no moment.
        """
        fail = live(where)
        if value is not None and not isinstance(value, str | date):
            raise fail(0, f"{str(value)[:40]!r} is no date or time", None)
        return _points(pa.chunked_array([[None if value == "" else value]]), fail), []

    def to_config(self) -> dict[str, Any]:
        """The form."""
        return {"kind": self.kind, "time": self.time}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: it is not ours.
        """
        return cls(load(_Stored, config, cls.kind).time)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """How many moments are missing, or nothing."""
        missing = int((~encoded.values.any(1)).sum())
        return f"{missing} of {len(encoded.values)} moments missing" if missing else ""

    def report(self) -> str:
        """One line."""
        return "calendar: time of day, day of the week, day of the year"


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
    """As timestamps; those with a zone stay in it."""
    if pa.types.is_timestamp(flat.type):
        return flat
    if not (is_text(flat.type) or pa.types.is_date(flat.type) or pa.types.is_null(flat.type)):
        raise fail(0, f"{flat.type} is no date or time", "name another kind for the column")
    try:
        return flat.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        texts = flat.to_pylist()
        index = next(index for index, text in enumerate(texts) if not _is_moment(text))
        raise fail(index, f"{texts[index][:40]!r} is no date or time", "write them as YYYY-MM-DD HH:MM") from None


def _is_moment(text: str | None) -> bool:
    try:
        pa.scalar(text, pa.string()).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True


MEMBER = Calendar
