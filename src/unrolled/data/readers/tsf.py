"""The .tsf format of the Monash archive of forecasting: on each line the attributes of a series, then its numbers.

    @attribute series_name string
    @attribute start_timestamp date
    @frequency monthly
    @data
    T1:1979-01-01 00-00-00:25.1,24.3,?

``?`` is a missing value, ``#`` starts a remark.

References:
    Godahewa et al., 2021, the Monash time series forecasting archive. https://arxiv.org/abs/2105.06643
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import REMARK, STEP, Reader
from unrolled.data.readers.text import numbered_lines
from unrolled.errors import DataError

__all__ = ["read_tsf"]

_SERIES = "series"
_KEYS = ("@relation", "@attribute", "@frequency", "@horizon", "@missing", "@equallength")
_DATE = "%Y-%m-%d %H-%M-%S"
_STEPS = {  # frequency -> a step, and the steps in a season
    "yearly": ("1 year", 1),
    "quarterly": ("1 quarter", 4),
    "monthly": ("1 month", 12),
    "weekly": ("1 week", 52),
    "daily": ("1 day", 7),
    "hourly": ("1 hour", 24),
    "half_hourly": ("30 minutes", 48),
    "10_minutes": ("10 minutes", 144),
    "minutely": ("1 minute", 60),
    "4_seconds": ("4 seconds", 15),
}


def read_tsf(path: Path, config: DataConfig) -> pa.Table:
    """A row for each series: its attributes, and its numbers in a list column ``series``.

    A text attribute names the series and is kept aside. `STEP` in the metadata holds the frequency and the horizon.

    Raises:
        DataError: the file is missing, empty or not in ``config.text_encoding``; it has no series; or a line does not
            have the attributes of the header, or holds something else than numbers.
    """
    origin = str(path)
    lines = numbered_lines(path, config.text_encoding, "#")
    attributes, frequency, horizon = _header(lines, origin)
    held: dict[str, list[str]] = {name: [] for name in attributes}
    pieces: list[np.ndarray] = []
    for number, line in lines:
        *values, series = line.split(":")
        if len(values) != len(attributes):
            message = (
                f"line {number} has {len(values)} values before its series, but the header names {len(attributes)}"
            )
            raise DataError(message, file=origin, hint="colons separate them")
        for name, value in zip(attributes, values, strict=True):
            held[name].append(value.strip())
        pieces.append(_numbers(series, number, origin))
    if not pieces:
        raise DataError("has no series", file=origin, hint="after a line @data, write one on each line")
    columns = [_column(name, form, held[name], origin) for name, form in attributes.items()]
    flat = np.concatenate(pieces)
    ends = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    cells = pa.LargeListArray.from_arrays(pa.array(ends), pa.array(flat, mask=np.isnan(flat)))
    columns.append((pa.field(_SERIES, cells.type), cells))
    step, season = _STEPS.get(frequency, (frequency or "1", 1))
    longest = max(map(len, pieces))
    said = {STEP: json.dumps({"step": step, "season": season, "horizon": horizon, "longest": longest})}
    if frequency:
        said[REMARK] = f"one step of the series is {step}"
    return pa.table([array for _, array in columns], pa.schema([field for field, _ in columns], said))


def _header(lines: Iterator[tuple[int, str]], origin: str) -> tuple[dict[str, str], str, int]:
    """The attributes with their types, the frequency and the horizon; the lines are read up to ``@data``."""
    attributes: dict[str, str] = {}
    frequency, horizon = "", 0
    for number, line in lines:
        key, *values = line.split()
        if key.lower() == "@data":
            return attributes, frequency, horizon
        if key.lower() not in _KEYS:
            raise DataError(f"line {number} is before @data but does not start with a key of .tsf", file=origin)
        if key.lower() == "@attribute":
            if (
                len(values) != 2
                or values[1] not in ("string", "date", "numeric")
                or values[0] in (*attributes, _SERIES)
            ):
                message = f"line {number}: an attribute needs its own name and a type: string, date or numeric"
                raise DataError(message, file=origin)
            attributes[values[0]] = values[1]
        if key.lower() == "@frequency" and values:
            frequency = values[0].lower()
        if key.lower() == "@horizon" and values and values[0].isdecimal():
            horizon = int(values[0])
    raise DataError("has no line @data", file=origin)


def _numbers(series: str, number: int, origin: str) -> np.ndarray:
    texts = [text.strip() for text in series.split(",")]
    try:
        values = np.array([np.nan if text == "?" else float(text) for text in texts])
    except ValueError:
        odd = next(text for text in texts if text != "?" and not _is_number(text))
        raise DataError(f"line {number}: {odd[:40]!r} is not a number", file=origin) from None
    if np.isinf(values).any():
        raise DataError(f"line {number} holds a number that is infinite", file=origin)
    return values


def _column(name: str, form: str, texts: list[str], origin: str) -> tuple[pa.Field, pa.Array]:
    if form == "string":
        return pa.field(name, pa.string(), metadata={"aside": "names the series"}), pa.array(texts, pa.string())
    array = pa.array([_value(text, form, row, name, origin) for row, text in enumerate(texts, 1)])
    return pa.field(name, array.type), array


def _value(text: str, form: str, row: int, name: str, origin: str) -> float | datetime.datetime | None:
    if text == "?":
        return None
    try:
        return float(text) if form == "numeric" else datetime.datetime.strptime(text, _DATE)
    except ValueError:
        wanted = "a number" if form == "numeric" else "a time such as 1979-01-31 12-00-00"
        raise DataError(f"{text[:40]!r} is not {wanted}", file=origin, row=row, column=name) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _recognises(beginning: Beginning) -> int:
    keys = {line.split()[0].lower() for line in first_lines(beginning) if line.startswith("@")}
    return 100 if "@attribute" in keys and keys & {"@frequency", "@horizon", "@missing", "@equallength"} else 0


MEMBER = Reader((".tsf",), read_tsf, recognises=_recognises)
