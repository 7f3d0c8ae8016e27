"""Elapsed: when each event was, read as the time since the event before it.

    z_t = (log(1 + s_t − s_{t-1}) − mean) / std,    s in seconds, the first event as if 0 had passed

Dates with times are seconds since 1970; numbers are taken as seconds. Times must not fall within a row. A time that is
missing has a flag, and the clock goes on over it; for how long values of other columns are missing is counted in steps.

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
from unrolled.data.encodings._scaling import Scaling, StoredScaling, examine
from unrolled.data.encodings._stored import load
from unrolled.data.encodings.base import Encoded, Role, Traits, Where, has_time
from unrolled.data.io.timestamps import moment, moments
from unrolled.errors import DataError, ModelError

__all__ = ["Elapsed"]

_BACK = "lies before the event before it"
_SORT = "sort the events, with --order where each has a row"


class _Stored(StoredScaling):
    kind: Literal["elapsed"]


@dataclass(frozen=True, slots=True, eq=False)
class Elapsed:
    """A column of lists of times.

    Attributes:
        scaling: mean and std of the logarithm, and what becomes of a missing time.

    Example:
        >>> column = pa.chunked_array([[[5.0, 5.0, 5.0 + np.expm1(2)]]])
        >>> elapsed = Elapsed.fit(column, Elapsed.Options(), Role(), Where("memory", "time"))
        >>> elapsed.scaling.restore(elapsed.encode(column, Where("memory", "time")).values)[0].round(3).T
        array([[0., 0., 2.]])
    """

    class Options(MissingOptions):
        """The option of times."""

    kind: ClassVar[str] = "elapsed"
    traits: ClassVar[Traits] = Traits(clock=True)

    scaling: Scaling

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """Lists of dates, with or without times; whether numbers are times, a user must say."""
        kind = plain(array).type
        value = kind.value_type if has_time(kind) else None
        return 90 if value is not None and (pa.types.is_timestamp(value) or pa.types.is_date(value)) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Elapsed.Options, role: Role, where: Where) -> Self:
        """Learn mean and std.

        Raises:
            DataError: the column holds no lists of times or numbers, or a time lies before the one before it.
        """
        (passed, missing, cells), impute = _open(array, where), options.missing == "impute"
        missing = examine(passed, missing, impute, cells.error)
        return cls(Scaling.fit(np.log1p(passed), missing, timed=False, target=role.closed, impute=impute))

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
        """The numbers themselves: when the first event was, they do not tell."""
        numbers: list[list[float]] = values.tolist()
        return numbers

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, W) float32 of the time since the event ``before``, at its moment if there was one.

        To remember is the moment of this one. ``None`` and ``""`` are missing.

        Raises:
            DataError: it is no time, or lies before the event before it.
        """
        now, after = None, list(before)
        if value is not None and value != "":
            now = moment(value)
            if now is None:
                raise live(where)(0, f"{str(value)[:40]!r} is no time", None)
            if before and now < before[0]:
                raise live(where)(0, f"{str(value)[:40]!r} {_BACK}", _SORT)
            after = [now]
        passed = np.array([[np.nan if now is None else now - (before[0] if before else now)]])
        missing = examine(passed, np.array([[now is None]]), self.scaling.impute, live(where))
        return self.scaling.apply(np.log1p(passed), missing, live(where)), after

    def to_config(self) -> dict[str, Any]:
        """The numbers, exactly."""
        return {"kind": self.kind, **self.scaling.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: it is not ours.
        """
        stored = load(_Stored, config, cls.kind)
        if len(stored.mean) != 1:
            raise ModelError(f"the elapsed encoding of this model cannot be read: it has {len(stored.mean)} channels")
        return cls(Scaling.from_stored(stored, cls.kind, timed=False))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What a user should know of a column that was encoded: how many times were missing, or nothing."""
        missing = plain(array).combine_chunks().flatten().null_count
        return f"{missing} of {len(encoded.values)} times missing" if missing else ""

    def report(self) -> str:
        """One line."""
        return f"time since the event before, typically {np.expm1(self.scaling.mean[0]):.4g} s"


def _open(array: pa.ChunkedArray, where: Where) -> tuple[np.ndarray, np.ndarray, Cells]:
    """(N, 1) seconds since the last event in the row of a known time, 0 of the first; (N, 1) True at missing ones."""
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
    # The last known event before each, or the event itself where it is the first.
    known = np.where(missing, -1, np.arange(len(at)))
    last = np.maximum.accumulate(np.concatenate([[-1], known]))[:-1] if len(at) else known
    starts = np.repeat(offsets[:-1], np.diff(offsets))
    before = at[np.where(last >= starts, last, np.arange(len(at)))] if len(at) else at
    with np.errstate(invalid="ignore"):
        passed = at - before
        back = np.flatnonzero(passed < 0)
    if len(back):
        raise cells.error(int(back[0]), f"{cells.flat[int(back[0])].as_py()!s} {_BACK}", _SORT)
    return passed[:, None], missing[:, None], cells


MEMBER = Elapsed
