"""Numbers: one per row or per step, standardised with the mean and standard deviation of the training split.

    z = (x - mean) / std

A missing value becomes the mean. If the training split has missing values, a second channel flags them with 1; with one
number per step, a third channel says how long the value has been missing (see `_scaling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from unrolled.errors import DataError, ModelError

__all__ = ["Number"]


class _Stored(StoredScaling):
    kind: Literal["number"]
    time: bool


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A column of numbers.

    Attributes:
        scaling: mean, std, and how missing values are encoded.
        time: a cell is a list with one number per step.

    Example:
        >>> column = pa.chunked_array([[1.0, 3.0, None]])
        >>> number = Number.fit(column, Number.Options(), Role(), Where("memory", "x"))
        >>> number.encode(column, Where("memory", "x")).values
        array([[-1.,  0.],
               [ 1.,  0.],
               [ 0.,  1.]], dtype=float32)
    """

    class Options(MissingOptions):
        """The option for numbers."""

    kind: ClassVar[str] = "number"
    logarithm: ClassVar[bool] = False
    traits: ClassVar[Traits] = Traits(measured=True)
    rule: ClassVar[str] = "the number in its own units, NaN where it is missing"
    binary: ClassVar[bool] = False

    scaling: Scaling
    time: bool

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """90 for floats; 60 for integers, because lists with few distinct integers are more likely categories."""
        cell = plain(array).type
        value = cell.value_type if has_time(cell) else cell
        if pa.types.is_floating(value) or pa.types.is_decimal(value):
            return 90
        return 60 if pa.types.is_integer(value) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Number.Options, role: Role, where: Where) -> Number:
        """Learn mean and std.

        Raises:
            DataError: a value is not a finite number, or a target has no numbers.
        """
        found = cls.statistics(options, role, where)
        found.add(array, where)
        return found.fitted()

    @classmethod
    def statistics(cls, options: Number.Options, role: Role, where: Where, *, time: bool = False) -> NumberStatistics:
        """What a scale is made of, to be collected part by part."""
        return NumberStatistics(options.missing == "impute", role, where)

    @property
    def mean(self) -> np.ndarray:
        """(1,) float64: ``z * std + mean`` is in the original units."""
        return self.scaling.mean

    @property
    def std(self) -> np.ndarray:
        """(1,) float64."""
        return self.scaling.std

    @property
    def flagged(self) -> list[int]:
        """``[0]`` if a second channel flags missing values, else ``[]``."""
        return self.scaling.flagged

    @property
    def spec(self) -> Continuous:
        """Width 1; with a flag 2, or 3 if there is one number per step."""
        return Continuous(self.scaling.width, self.time)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, W) float32.

        Raises:
            DataError: a value is not a finite number.
        """
        values, missing, cells = _open(array, where, self.time)
        missing = examine(values, missing, self.scaling.impute, cells.error)
        scaled = self.scaling.apply(values, missing, cells.error, cells.offsets)
        return Encoded(scaled, cells.offsets, missing if missing.any() else None)

    def decode(self, values: np.ndarray) -> float | list[float | None] | None:
        """A float, or with time a list of floats; ``None`` where the value is missing."""
        numbers, missing = self.scaling.restore(np.atleast_2d(values))
        answers = [None if gone else number for number, gone in zip(numbers[:, 0].tolist(), missing[:, 0], strict=True)]
        return answers if self.time else answers[0]

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, W) float32 of a number or its text, and for how long values have been missing.

        ``None`` and ``""`` are missing values.

        Raises:
            DataError: it is not a finite number.
        """
        number = parse_float(value, where)
        values = np.array([[np.nan if number is None else number]])
        missing = examine(values, np.array([[number is None]]), self.scaling.impute, live(where))
        return self.scaling.apply_next(values, missing, live(where), before)

    @property
    def remembers(self) -> bool:
        """Whether a step says how long the value has been missing."""
        return self.scaling.remembers

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N, W) float32 of N numbers, and (N,) bool: which of them are Python numbers that fit."""
        numbers, known = plain_numbers(values)
        scaled, fits = self.scaling.apply_together(numbers[:, None])
        return scaled, known & fits

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {"kind": self.kind, "time": self.time, **self.scaling.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        if len(stored.mean) != 1:
            raise ModelError(f"the number encoding of this model cannot be read: it has {len(stored.mean)} channels")
        return cls(Scaling.from_stored(stored, cls.kind, timed=stored.time), stored.time)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many values were missing, or ``""``."""
        values = pc.list_flatten(plain(array)) if self.time else array
        missing = values.null_count
        return f"{missing} of {len(encoded.values)} values missing, filled with the mean" if missing else ""

    def report(self) -> str:
        """A one-line summary."""
        missing = f", {self.scaling.missing} missing" if self.scaling.missing else ""
        return f"number, mean {self.mean[0]:.4g}, scale {self.std[0]:.4g}{missing}"


class NumberStatistics:
    """Collects the numbers of the training split part by part."""

    def __init__(self, impute: bool, role: Role, where: Where) -> None:
        self._impute, self._role, self._where = impute, role, where
        self._scale = ScaleStatistics(1)
        self._time = False

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: a value is not a finite number.
        """
        self._time = has_time(array.type)
        values, missing, cells = _open(array, where, self._time)
        self._scale.add(values, examine(values, missing, self._impute, cells.error))

    def fitted(self) -> Number:
        """The encoding.

        Raises:
            DataError: a target has no numbers.
        """
        target, where = self._role.closed, self._where
        if target and not self._scale.known:
            raise DataError("has no numbers", file=where.file, column=where.column, hint="choose another target")
        return Number(self._scale.fitted(timed=self._time, target=target, impute=self._impute), self._time)


def _open(array: pa.ChunkedArray, where: Where, time: bool) -> tuple[np.ndarray, np.ndarray, Cells]:
    cells = open_cells(array, where, time)
    values, missing = floats(cells.flat, where, cells.error)
    return values[:, None], missing[:, None], cells


MEMBER = Number
