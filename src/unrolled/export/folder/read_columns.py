"""Cells and live values as the arrays that the graph reads, by the rules in signature.json. Needs only NumPy.

Part of a model exported by Unrolled: columns of labels, numbers and times, and which class reads which kind.
"""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from read_symbols import Column, Items, Letters, Refused, Tokens

LARGEST = float(np.finfo(np.float32).max)
MISSING = {  # texts that stand for a missing number, in any case
    *("", "?", "-", "--", "---", ".", "..", "...", "n/a", "na", "n.a.", "n.a", "none", "null", "nil", "nan", "-nan"),
    *("#n/a", "#na", "#n/a n/a", "#null!", "#div/0!", "#ref!", "#value!", "#num!", "#name?"),
    *("\\n", "<na>", "(null)", "missing", "not available", "–", "—", "…"),
}


class Labels(Column):
    """Labels from a fixed set."""

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        super().__init__(described, folder)
        self.labels, self.missing = self.config["labels"], self.config["missing"]
        first = 0 if self.config["closed"] else 1 + self.missing
        self.known: dict[Any, int] = {_as_text(label): first + place for place, label in enumerate(self.labels)}
        self.known |= {label: first + place for place, label in enumerate(self.labels)}

    def whole(self, cell: Any) -> list[np.ndarray]:
        if self.time:
            return [np.array([self.id(one) for one in cell or []], np.int64)]
        return [np.array(self.id(cell), np.int64)]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        return [[np.int64(self.id(value))]], None

    def symbol(self, id_: int) -> Any:
        first = 0 if self.config["closed"] else 1 + self.missing
        return self.labels[id_ - first] if id_ >= first else "<unknown>" if id_ == 0 else None

    def id(self, value: Any) -> int:
        """The id of a label.

        Raises:
            Refused: it is a list, or NaN.
        """
        if isinstance(value, float) and math.isnan(value):
            if not self.config["impute"]:
                raise self.refuse("the label is NaN")
            value = None
        if value is None:
            return int(self.missing)
        if not isinstance(value, str | bool | int | float):
            raise self.refuse(f"expected one label, got {str(value)[:40]!r}")
        return self.known.get(value, self.known.get(_as_text(value), 0))


class Numbers(Column):
    """Numbers in the data's own units; the graph scales them. A missing one is NaN."""

    def whole(self, cell: Any) -> list[np.ndarray]:
        if not self.time:
            return self._with_gaps(np.array(self._channels(cell))[None], ())[0][0]
        steps = [self._channels(one) for one in cell or []]
        arrays, _ = self._with_gaps(np.array(steps).reshape(len(steps), len(self.config["mean"])), ())
        return [np.stack([step[k] for step in arrays]) for k in range(len(self.graph))] if arrays else self._empty()

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        return self._with_gaps(np.array([self._channels(value)]), memory or ())

    def _with_gaps(self, values: np.ndarray, gaps: Any) -> tuple[list[list[np.ndarray]], Any]:
        """Each step with, for each flagged channel, how many steps ago its value was seen."""
        if len(self.graph) == 1:
            return [[step] for step in values], None
        flagged, found = self.config["flagged"], []
        before = None if not len(gaps) else np.array(gaps)
        for step in values:
            gone = np.isnan(step[flagged])
            before = np.where(gone, (before + 1) if before is not None else 0, 0)
            found.append([step, before.astype(np.int64)])
        return found, before.tolist()

    def _empty(self) -> list[np.ndarray]:
        empty = [np.zeros((0, len(self.config["mean"]))), np.zeros((0, len(self.config["flagged"])), np.int64)]
        return empty[: len(self.graph)]

    def _channels(self, value: Any) -> list[float]:
        count, listed = len(self.config["mean"]), self.config["kind"] == "series"
        if listed and isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                raise self.refuse(f"{value[:40]!r} is not a list of numbers") from None
        if not listed:
            values = [value]
        else:
            values = value if isinstance(value, list) else [value] * count if value is None or count == 1 else []
        if len(values) != count:
            raise self.refuse(f"expected {count} numbers, got {str(value)[:40]!r}")
        numbers = [self._number(one) for one in values]
        for number, mean, std in zip(numbers, self.config["mean"], self.config["std"], strict=True):
            if abs(number - mean) / std > LARGEST:
                raise self.refuse(f"{number:g} is too large: the training mean is {mean:g}")
        return numbers

    def _number(self, value: Any) -> float:
        if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
            return math.nan
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self.refuse(f"{str(value)[:40]!r} is not a number") from None
        if math.isinf(number) or (math.isnan(number) and not self.config["impute"]):
            raise self.refuse(f"the value is {number}")
        return number


class Elapsed(Column):
    """Times of events, as seconds since the event before; the graph takes the logarithm and scales it."""

    def whole(self, cell: Any) -> list[np.ndarray]:
        passed, memory = [], None
        for value in cell or []:
            [[step]], memory = self.step(value, memory)
            passed.append(step)
        return [np.array(passed).reshape(-1, 1)]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        if value is None or value == "":
            return [[np.array([math.nan])]], memory
        now = seconds(value)
        if now is None or not (math.isfinite(now) or self.config["impute"]):
            raise self.refuse(f"{str(value)[:40]!r} is not a time")
        if memory is not None and now < memory:
            raise self.refuse(f"{str(value)[:40]!r} is earlier than the event before")
        return [[np.array([0.0 if memory is None else now - memory])]], now


class Calendar(Column):
    """Dates and times, as points on the circles of the day, the week and the year."""

    def whole(self, cell: Any) -> list[np.ndarray]:
        if not self.time:
            return [self._points(cell)]
        return [np.array([self._points(one) for one in cell or []], np.float32).reshape(-1, 6)]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        return [[self._points(value)]], None

    def _points(self, value: Any) -> np.ndarray:
        if value is None or (isinstance(value, str) and not value.strip()):
            return np.zeros(6, np.float32)
        at = _moment(value)
        if at is None:
            raise self.refuse(f"{str(value)[:40]!r} is not a date or time: write it as YYYY-MM-DD HH:MM")
        day = (3600 * at.hour + 60 * at.minute + at.second + at.microsecond / 1e6) / 86_400
        turns = np.array([day, (at.weekday() + day) / 7, (at.timetuple().tm_yday - 1 + day) / 365.2425])
        return np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], 1).reshape(-1).astype(np.float32)


COLUMNS: dict[str, type[Column]] = {
    "tokens": Tokens,
    "items": Items,
    "symbols": Letters,
    "category": Labels,
    "number": Numbers,
    "series": Numbers,
    "elapsed": Elapsed,
    "calendar": Calendar,
}


def column_of(described: dict[str, Any], folder: Path) -> Column:
    """The column that an entry of signature.json describes.

    Raises:
        Refused: this program does not read its kind.
    """
    kind = "items" if described["config"].get("items") else described["kind"]
    if kind not in COLUMNS:
        given = f"give the graph its arrays, {described['rule']}"
        raise Refused(f"column {described['column']!r}: this program cannot read {kind}: {given}")
    return COLUMNS[kind](described, folder)


def seconds(value: Any) -> float | None:
    """A time as seconds since 1970; a number is taken as it is."""
    try:
        return float(value)
    except (TypeError, ValueError):
        at = _moment(value)
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()


def _moment(value: Any) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _as_text(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
