"""Times of day, such as 13:45, as points on a circle: midnight lies beside the minute before it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from unrolled.batch import Continuous
from unrolled.config import Part, option
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where
from unrolled.errors import DataError, ModelError

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DAY = 24 * 60  # minutes


class TimeOfDay:
    """(sin 2πku, cos 2πku) for k = 1 … K, where u is the share of the day that has passed; a missing time is all 0."""

    class Options(Part):
        harmonics: int = option(
            1, "How many circles a time of day is a point on: the k-th goes round k times a day.", ge=1, le=8
        )

    kind: ClassVar[str] = "time_of_day"
    traits: ClassVar[Traits] = Traits()

    def __init__(self, harmonics: int) -> None:
        self.harmonics = harmonics

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        if not pa.types.is_string(array.type):
            return 0
        return 99 if all(text is None or _TIME.fullmatch(text) for text in array.to_pylist()) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Options, role: Role, where: Where) -> Self:
        encoding = cls(options.harmonics)
        encoding.encode(array, where)  # nothing is learned, but what cannot be read is found now
        return encoding

    @property
    def spec(self) -> Continuous:
        return Continuous(2 * self.harmonics, time=False)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        points = [self._point(value, where, row) for row, value in enumerate(array.to_pylist())]
        return Encoded(np.array(points, np.float32).reshape(-1, 2 * self.harmonics), None)

    def decode(self, values: np.ndarray) -> str | None:
        if not values.any():
            return None
        minutes = round(math.atan2(values[0], values[1]) / (2 * math.pi) * _DAY) % _DAY
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        return np.array([self._point(value or None, where, None)], np.float32), []

    def to_config(self) -> dict[str, Any]:
        return {"kind": self.kind, "harmonics": self.harmonics}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        known = [cls(harmonics) for harmonics in range(1, 9)]
        found = [encoding for encoding in known if encoding.to_config() == config]
        if not found or type(config["harmonics"]) is not int:
            raise ModelError("the time_of_day encoding of this model cannot be read")
        return found[0]

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        missing = array.null_count
        return f"{missing} of {len(array)} times missing" if missing else ""

    def report(self) -> str:
        return f"time of day on {self.harmonics} circles"

    def _point(self, value: Any, where: Where, row: int | None) -> list[float]:
        """The points of a time; ``row`` is its place in the column, for errors."""
        angle = _angle(value, where, row)
        if angle is None:
            return [0.0] * 2 * self.harmonics
        return [turn(k * angle) for k in range(1, self.harmonics + 1) for turn in (math.sin, math.cos)]


def _angle(value: Any, where: Where, row: int | None) -> float | None:
    if value is None:
        return None
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        place = None if row is None else where.row(row)
        raise DataError(
            f"{str(value)[:40]!r} is not a time of day",
            file=where.file,
            row=place,
            column=where.column,
            hint="write it as HH:MM",
        )
    return 2 * math.pi * (60 * int(found[1]) + int(found[2])) / _DAY


MEMBER = TimeOfDay
