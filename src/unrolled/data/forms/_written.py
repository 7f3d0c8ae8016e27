"""Gather targets that are sequences with their own length. Axes: B rows, U steps of the target, W width."""

from __future__ import annotations

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.segments import Segments

__all__ = ["gather_written"]


def gather_written(target: Encoded, segments: Segments, discrete: bool) -> np.ndarray:
    """(B, U) int64 or (B, U, W) float32: all steps of each row's target."""
    lengths = target.lengths()[segments.rows]
    steps = np.arange(max(1, int(lengths.max(initial=0))))  # (U,)
    return gather_target(target, segments, steps, steps < lengths[:, None], discrete)
