"""Elapsed: the times of events, encoded as the time since the previous event.

    z_t = (log(1 + s_t − s_{t-1}) − mean) / std,    s in seconds; 0 for the first event

Dates with times are converted to seconds since 1970; numbers are seconds. Times must not decrease within a row. A
missing time is flagged, and the next known time is measured from the last known one.

Axes: N events of all rows, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from unrolled.batch import Continuous
from unrolled.data.encodings._cells import Cells, live, open_cells, plain
from unrolled.data.encodings._missing import MissingOptions
from unrolled.data.encodings._scaling import ScaleStatistics, Scaling, StoredScaling, examine
from unrolled.data.encodings._stored import load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.io.timestamps import moment, moments
from unrolled.errors import DataError, ModelError, named

__all__ = ["Elapsed"]

_BACK = "is earlier than the previous event"


class _Stored(StoredScaling):
    kind: Literal["elapsed"]


@dataclass(frozen=True, slots=True, eq=False)
class Elapsed:
    """A column of lists of times.

    Attributes:
        scaling: mean and std of the logarithm, and how missing times are encoded.

    Example:
        >>> column = pa.chunked_array([[[5.0, 5.0, 5.0 + np.expm1(2)]]])
        >>> elapsed = Elapsed.fit(column, Elapsed.Options(), Role(), Where("memory", "time"))
        >>> elapsed.scaling.restore(elapsed.encode(column, Where("memory", "time")).values)[0].round(3).T
        array([[0., 0., 2.]])
    """

    class Options(MissingOptions):
        """The option for times."""

    kind: ClassVar[str] = "elapsed"
    logarithm: ClassVar[bool] = True
    traits: ClassVar[Traits] = Traits(clock=True)
    rule: ClassVar[str] = (
        "the seconds since the last known event of the row, 0 for the first, NaN where the time is missing"
    )

    scaling: Scaling

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """90 for lists of dates or times. Lists of numbers are not recognised: they may be anything."""
        kind = plain(array).type
        value = kind.value_type if has_time(kind) else None
        return 90 if value is not None and (pa.types.is_timestamp(value) or pa.types.is_date(value)) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Elapsed.Options, role: Role, where: Where) -> Self:
        """Learn mean and std.

        Raises:
            DataError: the column does not hold lists of times or numbers, or a time is earlier than the previous one.
        """
        found = cls.statistics(options, role, where)
        found.add(array, where)
        return cls(found.scaling())

    @classmethod
    def statistics(cls, options: Elapsed.Options, role: Role, where: Where, *, time: bool = True) -> ElapsedStatistics:
        """What a scale is made of, to be collected part by part."""
        return ElapsedStatistics(options.missing == "impute", target=role.closed)

    @property
    def spec(self) -> Continuous:
        """Width 1, or 2 with a flag for missing times."""
        return Continuous(self.scaling.width, time=True)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, W) float32.

        Raises:
            DataError: as `fit`.
        """
        passed, missing, cells = _open(array, where)
        missing = examine(passed, missing, self.scaling.impute, cells.error)
        return Encoded(self.scaling.apply(np.log1p(passed), missing, cells.error), cells.offsets)

    def decode(self, values: np.ndarray) -> list[list[float]]:
        """The encoded numbers: the time of the first event is not stored, so times cannot be restored."""
        numbers: list[list[float]] = values.tolist()
        return numbers

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, W) float32 of the time since the last known event, and the memory for the next one.

        ``before`` and the memory are the last known time, or empty. ``None`` and ``""`` are missing values.

        Raises:
            DataError: it is not a time, or is earlier than the previous event.
        """
        now, after = None, list(before)
        if value is not None and value != "":
            now = moment(value)
            if now is None:
                raise live(where)(0, f"{str(value)[:40]!r} is not a time", None)
            if before and now < before[0]:
                raise live(where)(0, f"{str(value)[:40]!r} {_BACK}", _sort())
            after = [now]
        passed = np.array([[np.nan if now is None else now - (before[0] if before else now)]])
        missing = examine(passed, np.array([[now is None]]), self.scaling.impute, live(where))
        return self.scaling.apply(np.log1p(passed), missing, live(where)), after

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {"kind": self.kind, **self.scaling.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        if len(stored.mean) != 1:
            raise ModelError(f"the elapsed encoding of this model cannot be read: it has {len(stored.mean)} channels")
        return cls(Scaling.from_stored(stored, cls.kind, timed=False))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many times were missing, or ``""``."""
        missing = plain(array).combine_chunks().flatten().null_count
        return f"{missing} of {len(encoded.values)} times missing" if missing else ""

    def report(self) -> str:
        """A one-line summary."""
        return f"time since the previous event, typically {np.expm1(self.scaling.mean[0]):.4g} s"


class ElapsedStatistics:
    """Collects the times of the training split part by part."""

    def __init__(self, impute: bool, *, target: bool) -> None:
        self._impute, self._target, self._scale = impute, target, ScaleStatistics(1)

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: as `Elapsed.fit`.
        """
        passed, missing, cells = _open(array, where)
        self._scale.add(np.log1p(passed), examine(passed, missing, self._impute, cells.error))

    def scaling(self) -> Scaling:
        """The scale."""
        return self._scale.fitted(timed=False, target=self._target, impute=self._impute)

    def fitted(self) -> Elapsed:
        """The encoding."""
        return Elapsed(self.scaling())


def _sort() -> str:
    return f"sort the events, or use {named('order')} if each has its own row"


def _open(array: pa.ChunkedArray, where: Where) -> tuple[np.ndarray, np.ndarray, Cells]:
    """(N, 1) seconds since the last known event of the row, 0 for the first; (N, 1) bool, True for missing times."""
    cells = open_cells(array, where, time=True)
    offsets = cells.offsets
    assert offsets is not None
    at = moments(
        cells.flat,
        lambda message, index: (
            DataError(message, file=where.file, column=where.column) if index is None else cells.error(index, message)
        ),
    )
    missing = cells.flat.is_null().to_numpy()
    # The last known event before each one, or the event itself if it is the first.
    known = np.where(missing, -1, np.arange(len(at)))
    last = np.maximum.accumulate(np.concatenate([[-1], known]))[:-1] if len(at) else known
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    before = at[np.where(last >= starts, last, np.arange(len(at)))] if len(at) else at
    with np.errstate(invalid="ignore"):
        passed = at - before
        back = np.flatnonzero(passed < 0)
    if len(back):
        raise cells.error(int(back[0]), f"{cells.flat[int(back[0])].as_py()!s} {_BACK}", _sort())
    return passed[:, None], missing[:, None], cells


MEMBER = Elapsed
