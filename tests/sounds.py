"""Recordings for tests: a few tones as the bytes of WAV files."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np

__all__ = ["samples", "wav"]


def samples(seed: int, count: int, rate: int = 8000, pitches: Sequence[float] = ()) -> np.ndarray:
    """(count,) float64 in [-1, 1]: sines of ``pitches`` in Hz (or of one that the seed chooses), and a little noise."""
    random = np.random.default_rng(seed)
    at = np.arange(count) / rate
    sines = [np.sin(2 * np.pi * hertz * at + seed) for hertz in pitches or [random.uniform(200, rate / 3)]]
    return 0.5 * np.mean(sines, axis=0) + 0.01 * random.standard_normal(count)


def wav(data: np.ndarray, rate: int = 8000) -> bytes:
    """(N,) or (N, channels) in [-1, 1] as a 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as clip:
        clip.setparams((1 if data.ndim == 1 else data.shape[1], 2, rate, 0, "NONE", "not compressed"))
        clip.writeframes((data * 32767).round().clip(-32768, 32767).astype("<i2").tobytes())
    return file.getvalue()
