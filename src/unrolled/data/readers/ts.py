"""The .ts format of time series classification: a header of @ lines, then on each line a series and its label.

    @dimensions 2
    @classLabel true slow fast
    @data
    0.1,0.2,0.3:5,6,7:slow

Colons separate the dimensions and the label, commas the steps; ``?`` is a missing value.

References:
    Bagnall et al., the UEA archive. https://arxiv.org/abs/1811.00075
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import Reader
from unrolled.data.readers.text import numbered_lines
from unrolled.errors import DataError

__all__ = ["read_ts"]

_MISSING = ("?", "nan")


@dataclass(frozen=True, slots=True)
class _Header:
    """The header: all ``labels``, and ``answer``, the name of the column after the series."""

    answer: str | None
    labels: tuple[str, ...]


def read_ts(path: Path, config: DataConfig) -> pa.Table:
    """A row for each series: its numbers in ``series``, and its ``class`` or ``target`` if there is one.

    With several dimensions, each step is a list. Series may differ in length, but not the dimensions of one series.
    Lines that start with ``#`` or ``%`` are remarks.

    Raises:
        DataError: the file is missing, empty or not in ``config.text_encoding``; it has no data, or has time stamps; a
            line has another number of dimensions than the first, dimensions of different lengths, a value that is not
            a number, or a label that the header does not name.
    """
    origin = str(path)
    lines = numbered_lines(path, config.text_encoding, "#%")
    header = _header(lines, origin)
    rows: list[list[list[str]]] = []
    answers = []
    for number, line in lines:
        parts = line.split(":")
        if header.answer is not None:
            answers.append(parts.pop().strip())
            if header.labels and answers[-1] not in header.labels:
                known = ", ".join(header.labels[:10])
                raise DataError(
                    f"line {number}: {answers[-1]!r} is not one of the labels in the header ({known})", file=origin
                )
        rows.append([part.split(",") for part in parts])
        _check(rows, number, origin)
    if not rows:
        raise DataError("has no series", file=origin, hint="after a line @data, write one on each line")
    columns = {"series": _series(rows, origin)}
    if header.answer == "target":
        columns["target"] = _numbers(answers, range(len(rows)), origin, "target")
    elif header.answer is not None:
        columns["class"] = pa.array(answers, pa.string())
    metadata = {"class": {"kind": "category"}}
    fields = [pa.field(name, array.type, metadata=metadata.get(name)) for name, array in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def _header(lines: Iterable[tuple[int, str]], origin: str) -> _Header:
    """Read the header, up to ``@data``."""
    answer: str | None = None
    labels: tuple[str, ...] = ()
    for number, line in lines:
        key, *values = line.split()
        key, on = key.lower(), bool(values) and values[0].lower() == "true"
        if not key.startswith("@"):
            raise DataError(f"line {number} is before @data but does not start with @", file=origin)
        if key == "@timestamps" and on:
            raise DataError(f"line {number}: time stamps are not supported", file=origin, hint="remove them")
        if key in ("@classlabel", "@targetlabel") and on:
            answer = "class" if key == "@classlabel" else "target"
            labels = tuple(values[1:]) if key == "@classlabel" else ()
        if key == "@data":
            break
    return _Header(answer, labels)


def _check(rows: list[list[list[str]]], number: int, origin: str) -> None:
    """Check that the last of ``rows`` has as many dimensions as the first, all of one length."""
    first, last = len(rows[0]), rows[-1]
    if not last:
        raise DataError(f"line {number} has no series before its label", file=origin)
    if len(last) != first:
        raise DataError(f"line {number} has {len(last)} dimensions, but the first line has {first}", file=origin)
    lengths = [len(dimension) for dimension in last]
    if len(set(lengths)) > 1:
        other = next(index for index, length in enumerate(lengths) if length != lengths[0])
        message = f"line {number}: dimension {other + 1} has {lengths[other]} steps, but the first has {lengths[0]}"
        raise DataError(message, file=origin)


def _series(rows: list[list[list[str]]], origin: str) -> pa.Array:
    """Lists with a number at each step or, with several dimensions, a list of numbers."""
    steps = np.array([len(row[0]) for row in rows], np.int64)
    offsets = pa.array(np.concatenate([[0], np.cumsum(steps)]), pa.int64())
    owner = np.repeat(np.arange(len(rows)), steps)
    dimensions = [
        _numbers(list(chain.from_iterable(row[index] for row in rows)), owner, origin, "series")
        for index in range(len(rows[0]))
    ]
    if len(dimensions) == 1:
        return pa.LargeListArray.from_arrays(offsets, dimensions[0])
    values = np.stack([dimension.to_numpy(zero_copy_only=False) for dimension in dimensions], 1)  # (N, C)
    gone = np.stack([dimension.is_null().to_numpy(zero_copy_only=False) for dimension in dimensions], 1)
    flat = pa.array(values.ravel(), mask=gone.ravel() if gone.any() else None)
    return pa.LargeListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, len(dimensions)))


def _numbers(texts: list[str], owner: Iterable[int], origin: str, column: str) -> pa.Array:
    stripped = [text.strip() for text in texts]
    known = [None if text.lower() in _MISSING else text for text in stripped]
    try:
        return pa.array(known, pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        text, row = next((text, row) for text, row in zip(known, owner, strict=True) if not _is_number(text))
        raise DataError(f"{str(text)[:40]!r} is not a number", file=origin, row=int(row) + 1, column=column) from None


def _is_number(text: str | None) -> bool:
    try:
        pa.scalar(text, pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _recognises(beginning: Beginning) -> int:
    keys = {line.split()[0].lower() for line in first_lines(beginning) if line.startswith("@")}
    return 100 if keys & {"@problemname", "@classlabel", "@targetlabel", "@serieslength"} else 0


MEMBER = Reader((".ts",), read_ts, recognises=_recognises)
