"""Fixed convolutions of series: how often the answers of 84 small kernels exceed their biases.

Every kernel has nine taps, six of −1 and three of 2, so that they sum to 0; 84 ways to place the three give 84 kernels.
Each is used at several dilations d, with several biases b:

    r_t = Σ_j k_j Σ_{c in its channels} x_{c, t − (8 − j) d},    share = mean over t of [r_t > b]

Steps before the first one are 0. Half of the kernels count all steps, the others only those from step 8 d on, where
the whole kernel lies inside the row. Values are rounded to multiples of 2⁻¹³ between −16 and 16, so that each r_t is
exact in float32, and counts are the same for whole rows, in chunks, step by step and on any device.

Axes: B rows, T steps, P steps kept of the past, C channels, D dilations, F features (a kernel, dilation and bias).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["KERNELS", "Convolutions", "dilations_of"]

_TAPS, _TWOS = 9, 3
_PLACES = np.array(list(itertools.combinations(range(_TAPS), _TWOS)))
KERNELS = len(_PLACES)  # 84
_REACH = _TAPS - 1  # dilations from the first tap to the last
_MOST_CHANNELS = 9  # of a kernel
_GRID, _LIMIT = 2.0**13, 16.0  # 9 channels · 12 · 16 · 2¹³ < 2²⁴
_BLOCK = 1 << 17  # answers that are counted together: they fit into a cache
_PIECE = 4096  # steps that are read together
_GOLDEN = (np.sqrt(5) + 1) / 2  # its multiples spread evenly between 0 and 1


def dilations_of(steps: int, biases: int, most: int = 32) -> tuple[list[int], list[int]]:
    """The dilations for rows of ``steps`` steps, evenly spread in their logarithms, and the biases of each.

    A dilation that comes several times reads other channels each time, and has its biases from other rows.

    >>> dilations_of(100, 119)[0][::4]
    [1, 1, 1, 2, 3, 5, 7, 9]
    >>> sum(dilations_of(100, 119)[1])
    119
    """
    count = min(biases, most)
    longest = np.log2(max(1.0, (steps - 1) / _REACH))
    dilations = np.logspace(0, longest, count, base=2).astype(int)
    return dilations.tolist(), [biases // count + (place < biases % count) for place in range(count)]


class Convolutions(nn.Module):
    """The kernels, all of whose numbers are 0 at first.

    Args:
        channels: C.
        dilations: the dilations.
        biases: the biases of each kernel at each of them.
    """

    mask: Tensor
    biases: Tensor
    reach: Tensor

    def __init__(self, channels: int, dilations: Sequence[int], biases: Sequence[int]) -> None:
        super().__init__()
        self._dilations, self._counts = tuple(dilations), tuple(biases)
        self.past = _REACH * max(dilations, default=0)  # P
        self.size = KERNELS * sum(biases)  # F
        self.register_buffer("mask", torch.zeros(len(dilations), KERNELS, channels))  # 1: the kernel reads the channel
        self.register_buffer("biases", torch.zeros(self.size))  # of dilations, then biases, then kernels
        self.register_buffer("reach", self._reach(), persistent=False)

    def _reach(self) -> Tensor:
        """(F,) int64: the first step that each feature counts."""
        parts = []
        for number, (dilation, count) in enumerate(zip(self._dilations, self._counts, strict=True)):
            part = torch.zeros(count, KERNELS, dtype=torch.int64)
            part[:, _inside(number)] = _REACH * dilation
            parts.append(part.flatten())
        return torch.cat([torch.zeros(0, dtype=torch.int64), *parts])

    def draw(self, rows: Sequence[Tensor], generator: np.random.Generator) -> None:
        """Draw the channels of each kernel, and its biases: quantiles of its answers on one of ``rows`` (T, C)."""
        channels, most = self.mask.shape[2], min(_MOST_CHANNELS, self.mask.shape[2])
        mask, biases = np.zeros(self.mask.shape, np.float32), []
        for number, count in enumerate(self._counts):
            for kernel in range(KERNELS):
                size = 1 if channels == 1 else int(2 ** generator.uniform(0, np.log2(most + 1)))
                mask[number, kernel, generator.choice(channels, min(size, most), replace=False)] = 1
            self.mask[number] = torch.from_numpy(mask[number])
            drawn = generator.integers(len(rows), size=KERNELS)
            found = [self._quantiles(number, kernel, rows[row], count) for kernel, row in enumerate(drawn)]
            biases.append(np.stack(found, 1).reshape(-1))
        self.biases.copy_(torch.from_numpy(np.concatenate(biases).astype(np.float32)))

    def _quantiles(self, number: int, kernel: int, row: Tensor, count: int) -> np.ndarray:
        """(count,) quantiles of a kernel's answers on ``row`` (T, C), at the steps that it counts if there are any."""
        x = torch.cat([row.new_zeros(self.past, row.shape[1]), self.rounded(row)])[None]
        answers = self._answers(number, x.transpose(1, 2), len(row), slice(kernel, kernel + 1))[0, 0].numpy()
        inside = range(KERNELS)[_inside(number)]
        start = _REACH * self._dilations[number] if kernel in inside else 0
        counted = answers[start:] if start < len(answers) else answers
        levels = (np.arange(1, count + 1) + (number * KERNELS + kernel) * count) * _GOLDEN % 1
        return np.quantile(counted, levels)

    @staticmethod
    def rounded(x: Tensor) -> Tensor:
        """``x`` as the kernels read it."""
        return torch.round(x.clamp(-_LIMIT, _LIMIT) * _GRID) / _GRID

    def count(self, x: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        """(B, F) int32: at how many of the last T steps of ``x`` the answer of a kernel exceeds a bias.

        Args:
            x: (B, P + T, C), rounded; without padding that is not a number.
            steps: (B,) the steps of each row before the last T.
            lengths: (B,) how many of these are real.

        Cost: 84 D · 9 C multiply-adds and F comparisons a step; D arrays of at most 84 · 4096 · B numbers.
        """
        total = torch.zeros(len(x), self.size, dtype=torch.int32, device=x.device)
        new = x.shape[1] - self.past
        rows = max(1, _BLOCK // (KERNELS * max(1, min(new, _PIECE))))
        for first in range(0, len(x), rows):
            own = slice(first, first + rows)
            for at in range(0, new, _PIECE):
                part = x[own, at : at + self.past + _PIECE].transpose(1, 2)
                total[own] += self._count(part, steps[own] + at, lengths[own] - at)
        return total

    def _count(self, x: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        new = x.shape[2] - self.past
        place = torch.arange(new, device=x.device)
        padding = place >= lengths[:, None]  # (B, T)
        found, biases = [], self.biases.split([KERNELS * count for count in self._counts])
        for number, dilation in enumerate(self._dilations):
            answers = self._answers(number, x, new)  # (B, 84, T)
            early = padding | (steps[:, None] + place < _REACH * dilation)
            answers.masked_fill_(padding[:, None], -torch.inf)
            answers[:, _inside(number)] = answers[:, _inside(number)].masked_fill(early[:, None], -torch.inf)
            each = biases[number].view(-1, KERNELS, 1)
            found.extend((answers > bias).sum(2, dtype=torch.int32) for bias in each)
        return torch.cat([x.new_zeros(len(x), 0, dtype=torch.int32), *found], 1)

    def _answers(self, number: int, x: Tensor, new: int, kernels: slice = slice(None)) -> Tensor:
        """(B, K, T): the answers of ``kernels`` at one dilation to the last T steps of ``x`` (B, C, P + T)."""
        dilation = self._dilations[number]
        begin = self.past - _REACH * dilation
        taps = [x[:, :, begin + j * dilation :][:, :, :new] for j in range(_TAPS)]
        weight = _kernels().to(x.device)[kernels, :, None] * self.mask[number, kernels, None]  # (K, 9, C)
        return torch.matmul(weight.flatten(1), torch.cat(taps, 1))


def _kernels() -> Tensor:
    """(84, 9): the taps of each kernel."""
    taps = torch.full((KERNELS, _TAPS), -1.0)
    return taps.scatter_(1, torch.from_numpy(_PLACES), 2.0)


def _inside(number: int) -> slice:
    """The kernels that count only where they lie inside the row, at a dilation: every second one."""
    return slice((number + 1) % 2, None, 2)
