"""SpecAugment: random stretches of time and bands of frequency are hidden during training.

Axes: B rows, T steps, W numbers of a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from unrolled.data.plans.segments import RawBatch, Segments

__all__ = ["SpecAugment"]

_MASKS = 2  # of time, and as many of bands
_SHARE = 0.2  # the largest share of steps, or of numbers in a step, that one mask hides


@dataclass(frozen=True, slots=True)
class SpecAugment:
    """Set two stretches of steps and two bands of numbers to 0, the mean of the scaled values.

    A stretch is u steps long, u uniform in 0 … ⌊T/5⌋, and starts anywhere; a band likewise in 0 … ⌊W/5⌋. What is hidden
    is a pure function of (seed, epoch, row, first step), independent of the batch and of earlier draws. Time is not
    warped.

    Args:
        seed: in [0, 2^63).
        epoch: ≥ 0; each epoch hides other parts.
        beside: the columns of side sequences, which are unchanged.

    Cost:
        eight draws for each row, and a copy of the batch.

    References:
        Park et al. 2019, SpecAugment, https://arxiv.org/abs/1904.08779

    Example:
        >>> frames, zero = np.ones((1, 50, 40), np.float32), np.zeros(1, np.int64)
        >>> found = SpecAugment(seed=1, epoch=0).hide(frames, zero, zero, zero + 50)
        >>> bool(0.1 < found.mean() < 1), bool((frames == 1).all())
        (True, True)
    """

    seed: int
    epoch: int
    beside: frozenset[str] = frozenset()

    def __call__(self, raw: RawBatch, segments: Segments) -> RawBatch:
        """The batch with parts of all frames hidden; columns of ids and columns without time are unchanged."""
        where = (segments.rows, segments.starts, segments.lengths)
        frames = {n: values for n, values in raw.inputs.items() if _are_numbers(values) and n not in self.beside}
        return replace(raw, inputs=raw.inputs | {name: self.hide(values, *where) for name, values in frames.items()})

    def hide(self, values: np.ndarray, rows: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """What a model reads instead of ``values``, which are not modified.

        Args:
            values: frames, padded.
            rows, starts: the example of each row, and its first step here.
            lengths: the real steps of each row, without padding.

        Shape:
            values (B, T, W) float32, rows, starts and lengths (B,) int64 -> (B, T, W) float32.
        """
        hidden = values.copy()
        width = values.shape[2]
        for place, (row, start, steps) in enumerate(zip(rows.tolist(), starts.tolist(), lengths.tolist(), strict=True)):
            bits = np.random.Philox(key=[self.seed, self.epoch], counter=[0, 0, row, start])
            random = np.random.Generator(bits)
            for _ in range(_MASKS):
                first, last = _stretch(random, steps)
                hidden[place, first:last] = 0
                first, last = _stretch(random, width)
                hidden[place, :, first:last] = 0
        return hidden


def _are_numbers(values: np.ndarray) -> bool:
    """Whether each step of a column has numbers: letters of words are ids."""
    return values.ndim == 3 and values.dtype.kind == "f"


def _stretch(random: np.random.Generator, size: int) -> tuple[int, int]:
    length = int(random.integers(0, int(size * _SHARE), endpoint=True))
    first = int(random.integers(0, size - length, endpoint=True))
    return first, first + length
