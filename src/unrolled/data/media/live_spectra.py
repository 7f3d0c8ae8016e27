"""Live audio: samples as they arrive become frames as soon as these are complete.

Axes: N samples, T frames, W numbers of a frame.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from unrolled.data.media.spectra import Frames
from unrolled.errors import ShapeError

__all__ = ["Listener", "Scale", "running"]

Scale = Literal["training", "clip", "running"]
Sums = tuple[int, np.ndarray, np.ndarray]  # frames so far, (W,) their sum, (W,) the sum of their squares

_PRIOR = 100  # frames, one second: the weight of the training statistics beside the clip so far
_LEAST_VARIANCE = 1e-6


class Listener:
    """Compute the frames of an audio stream, the same as those of a file with the same samples.

    It buffers less than one frame of samples. Samples at the end that do not fill a frame are dropped, as in a file; a
    stream shorter than one frame has none.

    Args:
        frames: how frames are computed.
        mean, std: (W,) float64, of the training data.
        scale: ``training`` or ``running``.

    Example:
        >>> listener = Listener(Frames(8000), np.zeros(40), np.ones(40), "training")
        >>> [len(listener.push(np.ones(200))) for _ in range(4)]  # from a pipe: np.frombuffer(chunk, "<i2") / 32768
        [0, 2, 3, 2]
    """

    def __init__(self, frames: Frames, mean: np.ndarray, std: np.ndarray, scale: Scale) -> None:
        self._frames, self._mean, self._std, self._scale = frames, mean, std, scale
        self._samples = np.zeros(0, np.float32)
        self._sums: Sums | None = None

    def push(self, samples: np.ndarray) -> list[list[float]]:
        """The frames that ``samples`` complete, each as ``push`` of a live session takes it.

        Args:
            samples: (N,) at the encoding's sample rate, from -1 to 1 as in a file.

        Raises:
            ShapeError: ``samples`` has another shape.
        """
        if samples.ndim != 1:
            raise ShapeError(f"samples must have shape (N,), not {samples.shape}: mix the channels first")
        self._samples = np.concatenate([self._samples, samples.astype(np.float32)])
        if len(self._samples) < self._frames.points:
            return []
        numbers = (self._frames(self._samples) - self._mean) / self._std
        self._samples = self._samples[len(numbers) * self._frames.hop :]
        if self._scale == "running":
            numbers, self._sums = running(numbers, self._sums)
        frames: list[list[float]] = numbers.tolist()
        return frames


def running(z: np.ndarray, before: Sums | None = None) -> tuple[np.ndarray, Sums]:
    """Scale each frame by the running mean and std of its clip; the training statistics count as 100 more frames.

        m_t = Σ_{s≤t} z_s / (t + 101),  v_t = (100 + Σ_{s≤t} z_s²) / (t + 101) - m_t²,  y_t = (z_t - m_t) / √v_t

    Args:
        z: frames, scaled by the training statistics.
        before: the sums over the earlier frames of the clip.

    Shape:
        (T, W) float64 -> (T, W) float64.

    Example:
        >>> whole, _ = running(np.arange(6.0)[:, None])
        >>> first, sums = running(np.arange(4.0)[:, None])
        >>> rest, _ = running(np.arange(4.0, 6.0)[:, None], sums)
        >>> bool((np.concatenate([first, rest]) == whole).all())
        True
    """
    none = np.zeros(z.shape[1])
    count, total, squares = before or (0, none, none)
    totals = np.cumsum(np.concatenate([total[None], z]), 0)
    sums = np.cumsum(np.concatenate([squares[None], np.square(z)]), 0)
    counts = (_PRIOR + count + np.arange(1, len(z) + 1))[:, None]
    mean = totals[1:] / counts
    variance = (_PRIOR + sums[1:]) / counts - mean**2
    return (z - mean) / np.sqrt(np.maximum(variance, _LEAST_VARIANCE)), (count + len(z), totals[-1], sums[-1])
