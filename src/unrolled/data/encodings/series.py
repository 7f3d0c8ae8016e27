"""Series: a vector per step; each channel is standardised with the mean and standard deviation of the training split.

    z_c = (x_c - mean_c) / std_c

If every training value is 0 or 1 (a piano roll, a set of switches), nothing is scaled. A missing value becomes the mean
of its channel. Each channel with missing values in the training data has a flag after all values, and after all flags a
channel that says how long the value has been missing (see `_scaling`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.batch import Continuous
from unrolled.data.encodings._cells import Cells, floats, live, open_cells, parse_float, plain, plain_numbers
from unrolled.data.encodings._missing import MissingOptions
from unrolled.data.encodings._scaling import ScaleStatistics, Scaling, StoredScaling, examine
from unrolled.data.encodings._stored import load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.io.number_types import is_number
from unrolled.errors import DataError, ModelError, counted

__all__ = ["Series"]

_PIANO = 88  # keys of a piano


class _Stored(StoredScaling):
    kind: Literal["series"]
    channels: list[str]
    binary: bool


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A column of lists of vectors, one vector per step.

    Attributes:
        scaling: mean and std of each channel, and how missing values are encoded.
        channels: their names: those of the columns that were joined, or ``c0``, ``c1``, ….
        binary: every training value was 0 or 1, and nothing is scaled.

    Example:
        >>> column = pa.chunked_array([[[[1.0, 0.0], [3.0, 10.0]]]])
        >>> series = Series.fit(column, Series.Options(), Role(), Where("memory", "x"))
        >>> series.encode(column, Where("memory", "x")).values
        array([[-1., -1.],
               [ 1.,  1.]], dtype=float32)
    """

    class Options(MissingOptions):
        """The option for series."""

    kind: ClassVar[str] = "series"
    logarithm: ClassVar[bool] = False
    traits: ClassVar[Traits] = Traits(measured=True, channels=True)
    rule: ClassVar[str] = "the number of each channel in its own units, NaN where it is missing"

    scaling: Scaling
    channels: list[str]
    binary: bool

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """90 for lists of lists of numbers or booleans."""
        cell = plain(array).type
        if not has_time(cell) or not has_time(cell.value_type):
            return 0
        value = cell.value_type.value_type
        numeric = is_number(value) or pa.types.is_decimal(value)
        return 90 if numeric or pa.types.is_boolean(value) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Series.Options, role: Role, where: Where) -> Self:
        """Learn mean and std of each channel.

        Raises:
            DataError: a value is not a finite number, steps differ in width, or there are no steps.
        """
        found = cls.statistics(options, role, where)
        found.add(array, where)
        return cls(*found.learned())

    @classmethod
    def statistics(cls, options: Series.Options, role: Role, where: Where, *, time: bool = True) -> SeriesStatistics:
        """What the scales are made of, to be collected part by part."""
        return SeriesStatistics(options.missing == "impute", role, where)

    @property
    def mean(self) -> np.ndarray:
        """(C,) float64: ``z * std + mean`` is in the original units."""
        return self.scaling.mean

    @property
    def std(self) -> np.ndarray:
        """(C,) float64."""
        return self.scaling.std

    @property
    def flagged(self) -> list[int]:
        """The channels that have a flag, in the order of the flags."""
        return self.scaling.flagged

    @property
    def is_roll(self) -> bool:
        """Whether this is a piano roll: 88 channels that are 0 or 1 and never missing."""
        return self.binary and self.spec.width == len(self.channels) == _PIANO

    @property
    def keys(self) -> np.ndarray | None:
        """(88,) int64, the key of each channel of a piano roll; ``None`` for any other series."""
        return np.arange(_PIANO) if self.is_roll else None

    @property
    def spec(self) -> Continuous:
        """The channels, then their flags, then how long each value has been missing."""
        return Continuous(self.scaling.width, time=True)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, W) float32.

        Raises:
            DataError: a value is not a finite number, or a step has another width than in training.
        """
        values, missing, cells = _open(array, where, len(self.channels))
        missing = examine(values, missing, self.scaling.impute, cells.error)
        scaled = self.scaling.apply(values, missing, cells.error, cells.offsets)
        return Encoded(scaled, cells.offsets, missing if missing.any() else None)

    def decode(self, values: np.ndarray) -> list[list[float | None]]:
        """(T, W) or (T, C) as a list of steps in the original units; ``None`` where a value is missing."""
        numbers, missing = self.scaling.restore(values)
        answer = numbers.astype(object)
        answer[missing] = None
        steps: list[list[float | None]] = answer.tolist()
        return steps

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, W) float32 of the channels of one step, and for how long values have been missing.

        ``None`` and ``""`` are missing values. A list may be given as JSON; a single channel needs no list.

        Raises:
            DataError: it is not a list of one finite number per channel.
        """
        numbers = [parse_float(item, where) for item in self._step(value, where)]
        values = np.array([[np.nan if number is None else number for number in numbers]])
        missing = examine(values, np.array([[number is None for number in numbers]]), self.scaling.impute, live(where))
        return self.scaling.apply_next(values, missing, live(where), before)

    @property
    def remembers(self) -> bool:
        """Whether a step says how long each value has been missing."""
        return self.scaling.remembers

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N, W) float32 of N lists of a number for each channel, and (N,) bool: which of them are that and fit."""
        count = len(self.channels)
        if count == 1 and {*map(type, values)} <= {float, int}:  # it needs no list
            numbers, known = plain_numbers(values)
            scaled, near = self.scaling.apply_together(numbers[:, None])
            return scaled, known & near
        if count == 1:
            values = [value if type(value) is list else [value] for value in values]
        fits = np.array([type(value) is list and len(value) == count for value in values], bool)
        if not fits.all():
            blank = [None] * count
            values = [value if fit else blank for value, fit in zip(values, fits.tolist(), strict=True)]
        numbers, known = plain_numbers([*chain.from_iterable(values)])
        scaled, near = self.scaling.apply_together(numbers.reshape(-1, count))
        return scaled, fits & known.reshape(-1, count).all(1) & near

    def _step(self, value: Any, where: Where) -> list[Any]:
        """One value for each channel.

        Raises:
            DataError: the number of values is wrong.
        """
        count = len(self.channels)
        if isinstance(value, str) and value.lstrip().startswith("["):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value)
        if isinstance(value, list | tuple | np.ndarray):
            if len(value) == count:
                return list(value)
            found = f"{len(value)}"
        elif value is None or count == 1:
            return [value] * count
        else:
            found = f"{str(value)[:40]!r}"
        names = ", ".join(self.channels[:8]) + (", …" if count > 8 else "")
        message = f"expected a list of {count} numbers ({names}), found {found}"
        raise DataError(message, file=where.file, column=where.column)

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {"kind": self.kind, "channels": self.channels, "binary": self.binary, **self.scaling.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        if len(stored.channels) != len(stored.mean):
            raise ModelError("the series encoding of this model cannot be read: the number of channel names is wrong")
        return cls(Scaling.from_stored(stored, cls.kind, timed=True), stored.channels, stored.binary)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many values were missing, or ``""``."""
        _, missing, _ = _open(array, Where("", ""), len(self.channels))
        count = int(missing.sum())
        return f"{count} of {missing.size} values missing, filled with their channel's mean" if count else ""

    def report(self) -> str:
        """A one-line summary."""
        scale = "0 or 1, not scaled" if self.binary else "each scaled"
        missing = f", {self.scaling.missing} missing" if self.scaling.missing else ""
        channels = counted(len(self.channels), "channel")
        return f"series of {channels}, {scale}{missing}"


class SeriesStatistics:
    """Collects the channels of the training split part by part."""

    def __init__(self, impute: bool, role: Role, where: Where) -> None:
        self._impute, self._role, self._where = impute, role, where
        self._scale: ScaleStatistics | None = None
        self._width = self._before = 0  # channels, and the missing steps before the first that shows how many
        self._binary = True

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: a value is not a finite number, or steps differ in width.
        """
        if self._scale is None and not _has_steps(array):
            self._before += len(pc.list_flatten(plain(array)))
            return
        values, missing, cells = _open(array, where, self._width or None)
        missing = examine(values, missing, self._impute, cells.error)
        if self._scale is None:
            self._width = values.shape[1]
            self._scale = ScaleStatistics(self._width)
            self._scale.add(*_nothing(self._before, self._width))
        self._scale.add(values, missing)
        known = values[~missing]
        self._binary = self._binary and bool(((known == 0) | (known == 1)).all())

    def learned(self) -> tuple[Scaling, list[str], bool]:
        """The scales, the names of the channels, and whether nothing is scaled.

        Raises:
            DataError: there are no steps, or a target has no numbers.
        """
        where, role = self._where, self._role
        if self._scale is None:
            raise DataError("has no steps", file=where.file, column=where.column)
        if role.closed and not self._scale.known:
            raise DataError("has no numbers", file=where.file, column=where.column, hint="choose another target")
        scaling = self._scale.fitted(timed=True, target=role.closed, impute=self._impute)
        if self._binary:
            scaling = replace(scaling, mean=np.zeros(self._width), std=np.ones(self._width))
        assert len(role.channels) in (0, self._width)
        return scaling, list(role.channels) or [f"c{channel}" for channel in range(self._width)], self._binary

    def fitted(self) -> Series:
        """The encoding.

        Raises:
            DataError: there are no steps, or a target has no numbers.
        """
        return Series(*self.learned())


def _has_steps(array: pa.ChunkedArray) -> bool:
    steps = pc.list_flatten(plain(array)) if has_time(array.type) else array
    return steps.null_count < len(steps) or not has_time(steps.type)


def _nothing(steps: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Missing steps."""
    return np.full((steps, width), np.nan), np.ones((steps, width), bool)


def _open(array: pa.ChunkedArray, where: Where, width: int | None) -> tuple[np.ndarray, np.ndarray, Cells]:
    """(N, C) float64, (N, C) bool of missing values, and the cells; C is ``width``, or that of the first step."""
    steps = open_cells(array, where, time=True)
    if not (pa.types.is_null(steps.flat.type) or has_time(steps.flat.type)):
        message = f"expected a list of numbers for each step, found {array.type}"
        raise DataError(message, file=where.file, column=where.column)
    inner = open_cells(steps.flat, where, time=True)
    assert inner.offsets is not None
    present = pc.is_valid(steps.flat).to_numpy()
    widths = np.diff(inner.offsets)
    if width is None:
        if not present.any():
            raise DataError("has no steps", file=where.file, column=where.column)
        width = int(widths[np.argmax(present)])
        if not width:
            raise steps.error(int(np.argmax(present)), "the step has no channels", None)
    ragged = np.flatnonzero(present & (widths != width))
    if len(ragged):
        index = int(ragged[0])
        raise steps.error(index, f"{widths[index]} channels, expected {width}", "every step needs the same channels")
    begins = inner.offsets

    def fail(index: int, message: str, hint: str | None) -> DataError:
        return steps.error(int(np.searchsorted(begins, index, side="right")) - 1, message, hint)

    known, gone = floats(inner.flat, where, fail)
    values, missing = np.full((len(present), width), np.nan), np.ones((len(present), width), bool)
    values[present], missing[present] = known.reshape(-1, width), gone.reshape(-1, width)
    return values, missing, steps


MEMBER = Series
