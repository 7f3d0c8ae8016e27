"""From columns that lie end to end to padded arrays: one gather a column, no Python loop over steps.

Axes: B rows, S steps that are gathered, N steps of all rows, W width.
"""

from __future__ import annotations

import numpy as np

from unrolled.batch import MISSING
from unrolled.data.encodings.base import Encoded
from unrolled.data.plans.segments import Segments

__all__ = ["gather", "gather_rows", "gather_target"]


def gather_rows(column: Encoded, rows: np.ndarray, discrete: bool) -> np.ndarray:
    """(B,) int64 or (B, W) float32: the values of a column without time."""
    return np.ascontiguousarray(column.values[rows], np.int64 if discrete else np.float32)


def gather(
    column: Encoded, segments: Segments, steps: np.ndarray, real: np.ndarray, fill: float, discrete: bool
) -> np.ndarray:
    """A column's values at ``steps`` after the start of each segment, and ``fill`` where they are not real.

    A column without time has its one value.

    Shape:
        steps (S,) or (B, S) int64, real (B, S) bool -> (B, S) int64 or (B, S, W) float32.
    """
    dtype = np.int64 if discrete else np.float32
    if column.offsets is None:
        return gather_rows(column, segments.rows, discrete)
    if not len(column.values):
        return np.full((*real.shape, *column.values.shape[1:]), fill, dtype)
    at = (column.offsets[segments.rows] + segments.starts)[:, None] + steps  # (B, S)
    values = column.values[np.where(real, at, 0)]
    if discrete:
        values = values.astype(np.int64)
    if not real.all():
        values[~real] = fill
    return np.ascontiguousarray(values, dtype)


def gather_target(
    target: Encoded, segments: Segments, steps: np.ndarray, real: np.ndarray, discrete: bool
) -> np.ndarray:
    """As `gather`; what is not real is marked as missing, so that it is not scored."""
    return gather(target, segments, steps, real, MISSING if discrete else np.nan, discrete)
