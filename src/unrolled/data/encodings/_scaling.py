"""Standardising channels: z = (x - mean) / std, fitted in float64 and applied in float32; missing values are flagged.

In time series, another channel says how long a value has been missing, as log(1 + k). k is the number of steps since
the value was last seen, or since the first step of its row if it never was; it is 0 where the value is present. It
counts steps, not seconds, even if a column gives the time between them. A window of a row continues the row's count.

References:
    Che et al. 2018, GRU-D, its masks and time intervals. https://doi.org/10.1038/s41598-018-24271-9

Axes: N values, C channels, F flagged channels; W = C + F, or C + 2F in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from unrolled.data.encodings._cells import Fail
from unrolled.data.encodings._moments import Moments
from unrolled.data.encodings._stored import Stored
from unrolled.errors import ModelError, named

__all__ = ["ScaleStatistics", "Scaling", "StoredScaling", "examine"]

_LARGEST = float(np.finfo(np.float32).max)


class StoredScaling(Stored):
    """`Scaling` as JSON."""

    mean: list[float]
    std: list[float]
    flagged: list[int]
    target: bool
    impute: bool
    missing: int = Field(ge=0)


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """The scale of each channel, and how missing values are encoded.

    Attributes:
        mean, std: (C,) float64; the std of a constant channel is 1.
        flagged: the channels that had missing values in training. Each has a flag after all values, 1 where the value
            is missing. A missing value becomes the mean.
        timed: each flagged channel has another channel, after all flags, that says how long it has been missing.
        target: a missing value becomes NaN, which is not scored, and nothing is flagged.
        impute: NaN counts as missing; otherwise it is an error.
        missing: the number of missing values in training.
    """

    mean: np.ndarray
    std: np.ndarray
    flagged: list[int]
    timed: bool
    target: bool
    impute: bool
    missing: int

    @property
    def width(self) -> int:
        """W."""
        return len(self.mean) + (1 + self.timed) * len(self.flagged)

    @classmethod
    def fit(
        cls, values: np.ndarray, missing: np.ndarray, *, timed: bool, target: bool, impute: bool, scaled: bool = True
    ) -> Scaling:
        """Learn from the training split.

        Args:
            values: (N, C) float64.
            missing: (N, C) bool.
            timed: the values are steps of rows; encode how long each has been missing.
            target: the values are a target.
            impute: NaN counts as missing.
            scaled: if False, use mean 0 and std 1.
        """
        found = ScaleStatistics(values.shape[1], scaled=scaled)
        found.add(values, missing)
        return found.fitted(timed=timed, target=target, impute=impute)

    def apply(
        self, values: np.ndarray, missing: np.ndarray, fail: Fail, offsets: np.ndarray | None = None
    ) -> np.ndarray:
        """(N, C) float64 as (N, W) float32; in time, row r is ``offsets[r] … offsets[r + 1]``.

        Raises:
            DataError: a value is too far from the training data for float32.
        """
        if not self.timed or not self.flagged:
            return self._apply(values, missing, fail, None)
        assert offsets is not None
        place, first = np.arange(len(values))[:, None], np.repeat(offsets[:-1], np.diff(offsets))[:, None]
        seen = np.maximum.accumulate(np.where(missing[:, self.flagged], first, place))  # (N, F)
        return self._apply(values, missing, fail, place - seen)

    def apply_next(
        self, values: np.ndarray, missing: np.ndarray, fail: Fail, before: Sequence[float]
    ) -> tuple[np.ndarray, list[float]]:
        """One step of a row, (1, C), as (1, W) float32, and the ``before`` of the next step.

        Args:
            before: for how many steps each flagged channel had been missing one step earlier; empty at the first step.

        Raises:
            DataError: as `apply`.
            ModelError: ``before`` has another number of channels.
        """
        if not self.timed or not self.flagged:
            return self._apply(values, missing, fail, None), []
        gone = missing[0, self.flagged]  # (F,)
        if before and len(before) != len(gone):
            raise ModelError("this snapshot does not fit the model: its number of flagged channels differs")
        unseen = np.where(gone, np.add(before, 1), 0) if before else np.zeros(len(gone))
        return self._apply(values, missing, fail, unseen[None]), unseen.tolist()

    def _apply(self, values: np.ndarray, missing: np.ndarray, fail: Fail, unseen: np.ndarray | None) -> np.ndarray:
        out = np.empty((len(values), self.width), np.float32)
        with np.errstate(over="ignore"):
            scaled = (values - self.mean) / self.std
        scaled[missing] = np.nan if self.target else 0.0
        beyond = np.abs(scaled) > _LARGEST
        if beyond.any():
            index, channel = (int(i) for i in np.argwhere(beyond)[0])
            message = f"{values[index, channel]:g} is too large: the training mean is {self.mean[channel]:g}"
            raise fail(index, message, "correct it, or leave the row out")
        out[:, : len(self.mean)] = scaled
        flags = len(self.mean) + len(self.flagged)
        out[:, len(self.mean) : flags] = missing[:, self.flagged]
        if unseen is not None:
            out[:, flags:] = np.log1p(unseen)
        return out

    @property
    def remembers(self) -> bool:
        """Whether a step says how long a value has been missing."""
        return self.timed and bool(self.flagged)

    def apply_together(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Steps of different rows, (N, C) without missing values, as (N, W) float32, and (N,) bool: where they fit.

        NaN, what is infinite, and what `apply` would refuse do not.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - self.mean) / self.std
            fits = (np.abs(scaled) <= _LARGEST).all(1)  # which NaN is not
            out = np.zeros((len(values), self.width), np.float32)
            out[:, : len(self.mean)] = scaled
        return out, fits

    def restore(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of `apply`: (N, C) float64 in the original units, and (N, C) bool, True where a value is missing.

        ``values`` may be (N, W), or (N, C) as a model predicts them.
        """
        channels = len(self.mean)
        body = values[:, :channels].astype(np.float64)
        missing = np.isnan(body)
        if values.shape[1] == self.width:
            missing[:, self.flagged] |= values[:, channels : channels + len(self.flagged)] > 0.5
        return body * self.std + self.mean, missing

    def to_config(self) -> dict[str, object]:
        """The fields as JSON."""
        return {
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "flagged": self.flagged,
            "target": self.target,
            "impute": self.impute,
            "missing": self.missing,
        }

    @classmethod
    def from_stored(cls, stored: StoredScaling, kind: str, *, timed: bool) -> Scaling:
        """The inverse of `to_config`.

        Raises:
            ModelError: the numbers contradict each other.
        """
        channels = len(stored.mean)
        sound = len(stored.std) == channels > 0 and all(std > 0 for std in stored.std)
        if not sound or stored.flagged != sorted(set(stored.flagged) & set(range(channels))):
            raise ModelError(f"the {kind} encoding of this model cannot be read: its numbers contradict each other")
        mean, std = np.array(stored.mean, np.float64), np.array(stored.std, np.float64)
        return cls(mean, std, stored.flagged, timed, stored.target, stored.impute, stored.missing)


class ScaleStatistics:
    """What a `Scaling` is made of, collected from parts of the training split in their order.

    Args:
        channels: C.
        scaled: if False, the mean is 0 and the std is 1.
    """

    def __init__(self, channels: int, *, scaled: bool = True) -> None:
        self._moments = [Moments() for _ in range(channels)]
        self._scaled = scaled
        self._missing = np.zeros(channels, np.int64)
        self.known = 0

    def add(self, values: np.ndarray, missing: np.ndarray) -> None:
        """Add (N, C) float64, of which those are missing where (N, C) bool is True."""
        self._missing += missing.sum(axis=0)
        self.known += int((~missing).sum())
        if self._scaled:
            for channel, moments in enumerate(self._moments):
                moments.add(values[~missing[:, channel], channel])

    def fitted(self, *, timed: bool, target: bool, impute: bool) -> Scaling:
        """The scale; the arguments are those of `Scaling.fit`."""
        found = np.array([moments.mean_and_std() for moments in self._moments]).reshape(-1, 2)
        flagged = [] if target else [int(channel) for channel in np.flatnonzero(self._missing)]
        return Scaling(found[:, 0].copy(), found[:, 1].copy(), flagged, timed, target, impute, int(self._missing.sum()))


def examine(values: np.ndarray, missing: np.ndarray, impute: bool, fail: Fail) -> np.ndarray:
    """(N, C) bool, True where a value is missing: where ``missing`` is True, and with ``impute`` also at NaN.

    Raises:
        DataError: a value is infinite, or NaN without ``impute``.
    """
    odd = ~np.isfinite(values) & ~missing
    if impute:
        odd &= ~np.isnan(values)
        missing = missing | np.isnan(values)
    if odd.any():
        index, channel = (int(i) for i in np.argwhere(odd)[0])
        if np.isnan(values[index, channel]):
            hint = f"correct it, leave the cell empty, or treat NaN as missing: {named('missing')} impute"
            raise fail(index, "the value is NaN", hint)
        raise fail(index, "the value is infinite, or too large for float64", "correct it, or leave the row out")
    return missing
