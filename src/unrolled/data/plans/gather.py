"""Gather padded arrays from columns whose rows are stored end to end, without a Python loop over steps.

Axes: B rows, S gathered steps, N steps of all rows, W width or letters of a word.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unrolled.batch import MISSING
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.plans.segments import Segments

__all__ = ["gather", "gather_rows", "gather_target", "gather_whole"]


def gather_rows(column: Encoded, rows: np.ndarray, discrete: bool) -> np.ndarray:
    """(B,) int64 or (B, W) of float32 or int64: the values of a column without time."""
    return np.ascontiguousarray(column.values[rows], np.int64 if discrete else np.float32)


def gather(
    column: Encoded, segments: Segments, steps: np.ndarray, real: np.ndarray, fill: float, discrete: bool
) -> np.ndarray:
    """A column's values at ``steps`` after the start of each segment, with ``fill`` where a step is not real.

    A column without time gives its single value.

    Args:
        column: the encoded column.
        segments: the rows of the batch, and where each segment starts.
        steps: offsets from these starts.
        real: which of the steps lie within the row.
        fill: the value of the others.
        discrete: whether the values are ids.

    Shape:
        steps (S,) or (B, S) int64, real (B, S) bool -> (B, S) int64 or (B, S, W) of float32 or int64.
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
    """Like `gather`, but steps that are not real are marked as missing, so that they are not scored.

    Args:
        target: the encoded target column.
        segments, steps, real, discrete: as for `gather`.
    """
    return gather(target, segments, steps, real, MISSING if discrete else np.nan, discrete)


def gather_whole(column: Encoded, segments: Segments, discrete: bool) -> tuple[np.ndarray, np.ndarray]:
    """All steps of a column in the rows of a batch, (B, S) int64 or (B, S, W), and their number, (B,) int64.

    A row without steps, and padding, is 0; S is at least 1.
    """
    lengths = column.lengths()[segments.rows]
    steps = np.arange(max(1, int(lengths.max(initial=0))))  # (S,)
    whole = replace(segments, starts=np.zeros_like(lengths), stops=lengths)
    return gather(column, whole, steps, steps < lengths[:, None], 0, discrete), lengths
