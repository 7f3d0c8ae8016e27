"""Fixed convolutions of series: how often the answers of 84 small kernels exceed their biases.

Every kernel has nine taps, six of −1 and three of 2, so that they sum to 0; 84 ways to place the three give 84 kernels.
Each is used at several dilations d, with several biases b:

    r_t = Σ_j k_j Σ_{c in its channels} x_{c, t − (8 − j) d},    share = mean over t of [r_t > b]

Steps before the first one are 0. Half of the kernels count all steps, the others only those from step 8 d on, where
the whole kernel lies inside the row. Values are rounded to multiples of 2⁻¹³ between −16 and 16, so that each r_t is
exact in float32, and counts are the same for whole rows, in chunks, step by step and on any device.

Axes: B rows, T steps, P steps kept of the past, C channels, D dilations, A biases of a kernel, F = A · D · 84 features.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.layers.graph import Value, concat, is_real, steps_of

__all__ = ["KERNELS", "Convolutions", "dilations_of"]

_TAPS, _TWOS = 9, 3
_PLACES = np.array(list(itertools.combinations(range(_TAPS), _TWOS)))
KERNELS = len(_PLACES)  # 84
_REACH = _TAPS - 1  # dilations from the first tap to the last
_MOST_CHANNELS = 9  # of a kernel
_GRID, _LIMIT = 2.0**13, 16.0  # 9 channels · 12 · 16 · 2¹³ < 2²⁴
_BLOCK = 1 << 18  # answers that are counted together: they fit into a cache
_GOLDEN = (np.sqrt(5) + 1) / 2  # its multiples spread evenly between 0 and 1


def dilations_of(steps: int, count: int) -> tuple[int, ...]:
    """``count`` dilations for rows of ``steps`` steps, evenly spread in their logarithms.

    A dilation that comes several times reads other channels each time, and has its biases from other rows.

    >>> dilations_of(100, 8)
    (1, 1, 2, 2, 4, 6, 8, 12)
    """
    longest = np.log2(max(1.0, (steps - 1) / _REACH))
    return tuple(np.logspace(0, longest, count, base=2).astype(int).tolist())


class Convolutions(nn.Module):
    """The kernels, all of whose numbers are 0 at first.

    Args:
        channels: C.
        dilations: the dilations.
        biases: A.
    """

    taps: Tensor
    biases: Tensor

    def __init__(self, channels: int, dilations: Sequence[int], biases: int) -> None:
        super().__init__()
        self._dilations = tuple(dilations)
        self.past = _REACH * max(dilations, default=0)  # P
        self.size = biases * len(dilations) * KERNELS  # F
        self.register_buffer("taps", torch.zeros(len(dilations), KERNELS, _TAPS * channels))  # 0: it is not read
        self.register_buffer("biases", torch.zeros(biases, len(dilations), KERNELS))

    def draw(self, rows: Sequence[Tensor], generator: np.random.Generator) -> None:
        """Draw the channels of each kernel, and its biases: quantiles of its answers on one of ``rows`` (T, C)."""
        channels = self.taps.shape[2] // _TAPS
        most, taps, masks = min(_MOST_CHANNELS, channels), _taps(), torch.zeros(*self.taps.shape[:2], channels)
        seen = [torch.cat([row.new_zeros(self.past, channels), self.rounded(row)]).numpy() for row in rows]
        biases, read = np.empty(self.biases.shape, np.float32), masks.numpy()
        signs, reach, first = taps.numpy(), self._reach().tolist(), self._first().numpy()
        for number, kernel in itertools.product(range(len(self._dilations)), range(KERNELS)):
            size = 1 if channels == 1 else int(2 ** generator.uniform(0, np.log2(most + 1)))
            chosen = generator.choice(channels, min(size, most), replace=False)
            read[number, kernel, chosen] = 1
            row = seen[generator.integers(len(seen))]
            summed = row[:, chosen].sum(1)
            answers = signs[kernel] @ summed[first[number][:, None] + np.arange(len(row) - self.past)]
            levels = (np.arange(1, len(biases) + 1) + (number * KERNELS + kernel) * len(biases)) * _GOLDEN % 1
            inside = answers[reach[number][kernel] :]
            ordered = np.sort(inside if len(inside) else answers)
            biases[:, number, kernel] = np.interp(levels * (len(ordered) - 1), np.arange(len(ordered)), ordered)
        self.taps.copy_((taps[:, :, None] * masks[:, :, None]).flatten(2))
        self.biases.copy_(torch.from_numpy(biases))

    @staticmethod
    def rounded(x: Tensor) -> Tensor:
        """``x`` as the kernels read it."""
        return torch.round(x.clamp(-_LIMIT, _LIMIT) * _GRID) / _GRID

    @staticmethod
    def rounded_graph(x: Value) -> Value:
        """`rounded` as operators."""
        g = x.graph
        return (g.op("Min", g.op("Max", x, -_LIMIT), _LIMIT) * _GRID).apply("Round") / _GRID

    def count(self, x: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        """(B, F) int32: at how many of the last T steps of ``x`` the answer of a kernel exceeds a bias.

        Args:
            x: (B, P + T, C), rounded; without padding that is not a number.
            steps: (B,) the steps of each row before the last T.
            lengths: (B,) how many of these are real.

        Cost: 84 D · 9 C multiply-adds and F comparisons a step, in blocks that fit into a cache.
        """
        total = torch.zeros(len(x), *self.biases.shape, dtype=torch.int32, device=x.device)
        new = x.shape[1] - self.past
        together = max(1, _BLOCK // max(1, self.taps[..., 0].numel()))
        piece = max(1, min(new, together))
        for begin in range(0, len(x), together // piece):
            own = slice(begin, begin + together // piece)
            for at in range(0, min(new, int(lengths[own].max())), piece):
                total[own] += self._count(x[own, at : at + self.past + piece], steps[own] + at, lengths[own] - at)
        return total.flatten(1)

    def _count(self, x: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        """(B, A, D, 84)."""
        step = torch.arange(x.shape[1] - self.past, device=x.device)
        windows = x[:, self._first()[..., None] + step]  # (B, D, 9, T, C)
        windows = windows.permute(1, 2, 4, 0, 3).reshape(len(self.taps), -1, len(x) * len(step))
        answers = torch.bmm(self.taps, windows).view(*self.taps.shape[:2], len(x), len(step))  # (D, 84, B, T)
        real = step < lengths[:, None]
        if int(steps.min()) < self.past or not bool(real.all()):
            counted = real & (steps[:, None] + step >= self._reach()[..., None, None])
            answers.masked_fill_(~counted, -torch.inf)
        each = [(answers > bias[..., None, None]).sum(3, dtype=torch.int32) for bias in self.biases]
        return torch.stack(each).permute(3, 0, 1, 2)

    def graph(self, x: Value, steps: Value, lengths: Value) -> tuple[Value, Value]:
        """`count` as operators, and how many steps of each row are counted in all, (B, D, 84).

        Args:
            x: (B, P + T, C), as for `count`.
            steps: (B,) int64, the steps of each row before these.
            lengths: (B,) int64.
        """
        g, reach, channels = x.graph, self._reach(), self.taps.shape[2] // _TAPS
        new = x.part(self.past, x.size(1), 1)
        real, turned = is_real(new, lengths), x.transpose(0, 2, 1)  # (B, C, P + T)
        at = steps.unsqueeze(1) + steps_of(new)  # (B, T)
        found = []
        for number, dilation in enumerate(self._dilations):
            weight = self.taps[number].view(KERNELS, _TAPS, channels).transpose(1, 2)
            near = turned.part(self.past - _REACH * dilation, x.size(1), 2)
            answers = g.op("Conv", near, g.constant(weight), dilations=[dilation])  # (B, 84, T)
            counted = real.unsqueeze(1) & (at.unsqueeze(1) >= g.constant(reach[number][:, None]))
            over = answers.unsqueeze(1) > g.constant(self.biases[:, number, :, None])  # (B, A, 84, T)
            found.append((over & counted.unsqueeze(1)).to(np.int32).sum(3).unsqueeze(2))
        whole = g.op("Max", (steps + lengths).unsqueeze(1, 2) - g.constant(reach), 0)
        return concat(found, 2).reshape(0, self.size), whole

    def shares(self, counts: Tensor, steps: Tensor) -> Tensor:
        """(B, F): ``counts`` divided by the steps that each kernel counts in rows of ``steps`` (B,), or NaN."""
        counted = (steps[:, None, None] - self._reach()).clamp_min(0)  # (B, D, 84)
        return (counts.view(-1, *self.biases.shape) / counted[:, None]).flatten(1)

    def _first(self) -> Tensor:
        """(D, 9) int64: the step of the past at which each tap begins."""
        dilations = torch.tensor(self._dilations, device=self.taps.device)[:, None]
        return self.past - dilations * torch.arange(_REACH, -1, -1, device=dilations.device)

    def _reach(self) -> Tensor:
        """(D, 84) int64: the first step that each kernel counts, 0 or 8 dilations, by turns."""
        dilations = torch.tensor(self._dilations, device=self.taps.device)[:, None]
        place = torch.arange(len(dilations), device=dilations.device)[:, None]
        return _REACH * dilations * ((place + torch.arange(KERNELS, device=dilations.device)) % 2)


def _taps() -> Tensor:
    """(84, 9): the taps of each kernel."""
    return torch.full((KERNELS, _TAPS), -1.0).scatter_(1, torch.from_numpy(_PLACES), 2.0)
