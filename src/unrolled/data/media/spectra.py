r"""From audio samples to frames: log-mel energies or cepstral coefficients (MFCC), and their deltas.

    S_kt = \|Σ_n w_n x_{t·hop+n} e^{-2πikn/F}\|²,  M_bt = Σ_k A_bk S_kt,  L_bt = 10 log10 max(M_bt, 1e-10)
    C_ct = Σ_b D_cb L_bt  (orthonormal DCT-II),   Δ_t = slope of the least-squares line through t - 4 … t + 4

Frame t starts at sample t · hop and reads nothing beyond its own window, so frames can be computed live.

Axes: N samples, T frames, F points of a frame, K = F/2 + 1 frequencies, B bands, W numbers of a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

__all__ = ["REACH", "Frames", "deltas", "mel_bands"]

FLOOR = 1e-10  # of a band's power: -100 dB
REACH = 4  # frames on each side that a delta reads
_BLOCK = 2048  # frames computed together
_LINEAR, _STEP = 200 / 3, math.log(6.4) / 27  # Hz a mel below 1 kHz; nepers a mel above


@dataclass(frozen=True)
class Frames:
    """How frames are computed: a Hann window of 25 ms every 10 ms, and its power in B mel bands in dB, or cepstra.

    Args:
        rate: samples a second, ≥ 1000.
        bands: B ≥ 1, evenly spaced on Slaney's mel scale from 0 Hz to half the rate, each of area 1.
        cepstra: how many coefficients of the DCT-II over the bands to keep, ≤ B; 0 keeps the bands themselves.

    Shape:
        (N,) float -> (T, B or cepstra) float64; T = 1 + ⌊(N - F) / hop⌋. A shorter sound is padded
        with zeros to one frame; an empty one has no frames.

    Cost:
        an FFT of F points and B·K multiply-adds a frame.

    References:
        Slaney 1998, Auditory Toolbox, https://engineering.purdue.edu/~malcolm/interval/1998-010/

    Example:
        >>> frames = Frames(8000, bands=40)
        >>> frames.window, frames.hop, frames.points
        (200, 80, 256)
        >>> tuple(frames(np.zeros(8000, np.float32)).shape)
        (97, 40)
    """

    rate: int
    bands: int = 40
    cepstra: int = 0

    @property
    def window(self) -> int:
        """Samples under the window."""
        return max(2, round(self.rate * 0.025))

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return max(1, round(self.rate * 0.010))

    @property
    def points(self) -> int:
        """F, the samples of a frame: the smallest power of two that holds the window, which is centred in it."""
        return 1 << (self.window - 1).bit_length()

    @property
    def width(self) -> int:
        """How many numbers a frame has."""
        return self.cepstra or self.bands

    def count(self, samples: int) -> int:
        """T, the number of frames of a sound of ``samples``."""
        return 0 if samples == 0 else 1 + max(0, samples - self.points) // self.hop

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Compute the frames of ``samples``."""
        total = self.count(len(samples))
        made = [np.zeros((0, self.width))]
        for first in range(0, total, _BLOCK):
            last = min(first + _BLOCK, total) - 1
            part = samples[first * self.hop : last * self.hop + self.points]
            made.append(self._block(torch.from_numpy(np.pad(part, (0, max(0, self.points - len(part)))))))
        return np.concatenate(made)

    def power(self, samples: Tensor) -> Tensor:
        """M, the power in each band: (N,) float -> (B, T) float64; N ≥ F."""
        spectrum = torch.stft(
            samples.double(), self.points, self.hop, self.window, self._hann, center=False, return_complex=True
        )
        return self._bands @ (spectrum.real.square() + spectrum.imag.square())  # (B, T)

    def _block(self, samples: Tensor) -> np.ndarray:
        decibels = 10 * self.power(samples).clamp(min=FLOOR).log10()
        return (self._cosines @ decibels if self.cepstra else decibels).T.numpy()

    @cached_property
    def _hann(self) -> Tensor:
        return torch.hann_window(self.window, dtype=torch.float64)

    @cached_property
    def _bands(self) -> Tensor:
        return mel_bands(self.rate, self.points, self.bands)

    @cached_property
    def _cosines(self) -> Tensor:
        """(cepstra, B)."""
        at = (torch.arange(self.bands, dtype=torch.float64) + 0.5) * math.pi / self.bands
        table = torch.cos(torch.arange(self.cepstra, dtype=torch.float64)[:, None] * at) * math.sqrt(2 / self.bands)
        table[0] /= math.sqrt(2)
        return table


def mel_bands(rate: int, points: int, bands: int) -> Tensor:
    """Triangular filters with corners evenly spaced in mels from 0 Hz to half the rate, each of area 1: (B, K) float64.

    Example:
        >>> at = torch.arange(129, dtype=torch.float64) * 8000 / 256
        >>> torch.argmax(mel_bands(8000, 256, 40), 1)[[0, 10, 39]].tolist()
        [2, 20, 121]
    """
    top = rate / 2
    mels = torch.linspace(0, _mel(top), bands + 2, dtype=torch.float64)
    corners = torch.where(mels < 15, mels * _LINEAR, 1000 * ((mels - 15) * _STEP).exp())  # Hz
    at = torch.linspace(0, top, points // 2 + 1, dtype=torch.float64)
    rising = (at - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - at) / (corners[2:] - corners[1:-1])[:, None]
    area = 2 / (corners[2:] - corners[:-2])
    return torch.minimum(rising, falling).clamp(min=0) * area[:, None]


def _mel(hertz: float) -> float:
    return hertz / _LINEAR if hertz < 1000 else 15 + math.log(hertz / 1000) / _STEP


def deltas(frames: np.ndarray, order: int) -> np.ndarray:
    """Deltas: the ``order``-th derivative of the polynomial of that degree fitted to nine frames.

    The first and last frames are repeated beyond the ends of the sound.

    Args:
        frames: the frames of a sound.
        order: 1 or 2.

    Shape:
        (T, W) float64 -> (T, W) float64.

    Example:
        >>> deltas(np.arange(20.0)[:, None] * 3, 1)[8:12, 0].round(9).tolist()
        [3.0, 3.0, 3.0, 3.0]
    """
    if not len(frames):
        return frames
    around = np.pad(frames, ((REACH, REACH), (0, 0)), mode="edge")
    weights = _derivative(order)
    total = np.zeros_like(frames)
    for offset, weight in enumerate(weights):
        total += weight * around[offset : offset + len(frames)]
    return total


@cache
def _derivative(order: int) -> tuple[float, ...]:
    at = np.arange(-REACH, REACH + 1.0)
    fit = np.linalg.pinv(np.vander(at, order + 1, increasing=True))  # (order + 1, 2 · REACH + 1)
    return tuple((fit[order] * math.factorial(order)).tolist())
