"""Scale each window of a forecast by its own mean and deviation, so that a model generalises across levels.

    z_t = (x_t - m) / s,  m and s the mean and deviation of the window's known values, channel by channel

The model predicts in these units, and `unrolled.tasks.forecast` converts its predictions back. The scale is known only
once the whole window is, so such a model cannot run step by step.

References:
    Kim et al. 2022, reversible instance normalisation. https://openreview.net/forum?id=cGDAkQo1C0p

Axes: B windows, T steps, W width, C ≤ W channels that are values; flags of missing values follow them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.plans.segments import RawBatch, Segments

__all__ = ["WindowScale", "by_window"]

_LEAST = 0.01  # of the training deviation, so that a constant window is not amplified


@dataclass(frozen=True, slots=True, eq=False)
class WindowScale:
    """A transform that scales the target's past in each window of a batch.

    Args:
        name: the input that holds the target's past.
        column: the whole encoded column.
        channels: C, how many of its channels are values.
    """

    name: str
    column: Encoded
    channels: int

    def __call__(self, raw: RawBatch, segments: Segments) -> RawBatch:
        """The batch with this column scaled by window, and the scales."""
        known = np.repeat(raw.real[..., None], self.channels, -1)  # (B, T, C)
        if self.column.missing is not None:
            assert self.column.offsets is not None
            first = self.column.offsets[segments.rows] + segments.starts
            at = first[:, None] + np.arange(raw.real.shape[1])
            known &= ~self.column.missing[np.where(raw.real, at, 0)]
        scaled, scale = by_window(raw.inputs[self.name], known)
        return replace(raw, inputs=raw.inputs | {self.name: scaled}, scale=scale)


def by_window(x: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale windows, with 0 where a value is not known; returns them and their scale m and s, (B, 2, C) float32.

    Args:
        x: (B, T, W) float32.
        known: (B, T, C) bool, False for padding and for missing values.

    Example:
        >>> x = np.array([[[1.0], [3.0], [9.0]]], np.float32)
        >>> by_window(x, np.array([[[True], [True], [False]]]))[1].tolist()
        [[[2.0], [1.0]]]
    """
    channels = known.shape[-1]
    values = np.where(known, x[..., :channels], 0.0).astype(np.float64)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    mean = values.sum(1, keepdims=True) / count  # (B, 1, C)
    apart = np.where(known, values - mean, 0.0)
    deviation = np.maximum(np.sqrt(np.square(apart).sum(1, keepdims=True) / count), _LEAST)
    scaled = np.concatenate([apart / deviation, x[..., channels:]], -1)
    return scaled.astype(np.float32), np.concatenate([mean, deviation], 1).astype(np.float32)
