"""Standardising channels: z = (x - mean) / std, fitted in float64 and stored in float32; missing values are flagged.

Axes: N values, C channels, W = C + the channels that have a flag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from unrolled.data.encoded import Options
from unrolled.data.encodings._cells import Fail
from unrolled.data.encodings._stored import Stored
from unrolled.errors import ModelError

__all__ = ["Scaling", "StoredScaling", "examine"]

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
    """The scale of each channel, and what becomes of a missing value.

    Attributes:
        mean, std: (C,) float64; the std of a constant channel is 1.
        flagged: the channels that had missing values in training; each has one more channel behind all values, 1 where
            the value is missing. A missing value becomes the mean.
        target: a missing value becomes NaN (which is not scored) instead, and nothing is flagged.
        impute: NaN counts as missing; otherwise it is refused.
        missing: how many values were missing in training.
    """

    mean: np.ndarray
    std: np.ndarray
    flagged: list[int]
    target: bool
    impute: bool
    missing: int

    @property
    def width(self) -> int:
        """W."""
        return len(self.mean) + len(self.flagged)

    @classmethod
    def fit(cls, values: np.ndarray, missing: np.ndarray, options: Options, *, scaled: bool = True) -> Scaling:
        """Learn from ``values`` (N, C) where not ``missing`` (N, C); with ``scaled`` False mean 0 and std 1."""
        mean, std = np.zeros(values.shape[1]), np.ones(values.shape[1])
        if scaled:
            for channel in range(len(mean)):
                mean[channel], std[channel] = _moments(values[~missing[:, channel], channel])
        flagged = [] if options.closed else [int(channel) for channel in np.flatnonzero(missing.any(axis=0))]
        return cls(mean, std, flagged, options.closed, options.missing == "impute", int(missing.sum()))

    def apply(self, values: np.ndarray, missing: np.ndarray, fail: Fail) -> np.ndarray:
        """(N, C) float64 as (N, W) float32.

        Raises:
            DataError: a value is too far from the training data for float32.
        """
        out = np.empty((len(values), self.width), np.float32)
        with np.errstate(over="ignore"):
            scaled = (values - self.mean) / self.std
        scaled[missing] = np.nan if self.target else 0.0
        beyond = np.abs(scaled) > _LARGEST
        if beyond.any():
            index, channel = (int(i) for i in np.argwhere(beyond)[0])
            message = f"{values[index, channel]:g} is too large (in training the mean was {self.mean[channel]:g})"
            raise fail(index, message, "correct it, or leave the row out")
        out[:, : len(self.mean)] = scaled
        out[:, len(self.mean) :] = missing[:, self.flagged]
        return out

    def restore(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of `apply`: (N, C) float64 in the user's units, and (N, C) bool where they are missing.

        ``values`` may be (N, W), or (N, C) as a model answers.
        """
        channels = len(self.mean)
        body = values[:, :channels].astype(np.float64)
        missing = np.isnan(body)
        if values.shape[1] == self.width:
            missing[:, self.flagged] |= values[:, channels:] > 0.5
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
    def from_stored(cls, stored: StoredScaling, kind: str) -> Scaling:
        """The inverse of `to_config`.

        Raises:
            ModelError: the numbers contradict each other.
        """
        channels = len(stored.mean)
        sound = len(stored.std) == channels > 0 and all(std > 0 for std in stored.std)
        if not sound or stored.flagged != sorted(set(stored.flagged) & set(range(channels))):
            raise ModelError(f"the {kind} encoding of this model cannot be read: its numbers contradict each other")
        mean, std = np.array(stored.mean, np.float64), np.array(stored.std, np.float64)
        return cls(mean, std, stored.flagged, stored.target, stored.impute, stored.missing)


def examine(values: np.ndarray, missing: np.ndarray, impute: bool, fail: Fail) -> np.ndarray:
    """(N, C) bool, True where a value is missing: where ``missing`` is, and with ``impute`` where NaN is.

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
            hint = "correct it, leave the cell empty, or treat NaN as missing: --missing impute"
            raise fail(index, "the value is NaN", hint)
        raise fail(index, "the value is infinite, or too large for a number", "correct it, or leave the row out")
    return missing


def _moments(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 1.0  # rounding would give a std near 1e-17, and z near 1, for a constant
    # A power of two is an exact scale, and keeps the squares of values near 1e300 or 1e-300 in range.
    unit = math.ldexp(1.0, math.frexp(max(-low, high))[1] - 1)
    reduced = values / unit
    std = float(reduced.std()) * unit
    return float(reduced.mean()) * unit, std if std > 0 else 1.0
