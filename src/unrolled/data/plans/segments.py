"""Segments and raw batches: which steps of which rows a batch holds, and its arrays before they become tensors.

Axes: B rows, T steps, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["RawBatch", "Segments", "Transform"]


@dataclass(frozen=True, slots=True)
class Segments:
    """One batch of a plan: steps ``starts[b] … stops[b]`` of row ``rows[b]``, all (B,) int64.

    ``scored`` is the first step whose loss counts: the steps before it are only context. ``fresh`` (B,) bool marks
    segments that start from an empty state.
    """

    rows: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    scored: np.ndarray
    fresh: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(B,) int64: the real steps of each row."""
        return self.stops - self.starts


@dataclass(frozen=True, slots=True)
class RawBatch:
    """The arrays of a batch, which it does not share with other batches.

    Shape:
        inputs: for each column (B, T) int64 or (B, T, W) float32; without time (B,) or (B, W).
        real: (B, T) bool, False in the padding.
        target: as the form of the target makes it; ``None`` without a target.
        scale: (B, 2, C) float32, the mean and deviation of each window; ``None`` where windows are not scaled.
    """

    inputs: dict[str, np.ndarray]
    real: np.ndarray
    target: np.ndarray | None
    scale: np.ndarray | None = None


Transform = Callable[[RawBatch, Segments], RawBatch]
