"""Positional encodings: without them, attention cannot tell an early step from a late one.

Positions are absolute step numbers, from 0, that continue from chunk to chunk. Two kinds are added to the input of a
layer, `Sinusoidal` and `Learned`. Two change attention itself, so that it only depends on distances: rotary positions
rotate queries and keys (`turns`, `turn`), and ALiBi subtracts from each score in proportion to the distance (`slopes`).
Axes: B rows, T steps, W width, H heads, D head width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from unrolled.cells._arguments import arguments
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.lengths import real_steps

__all__ = ["BASE", "Learned", "Sinusoidal", "Turns", "sinusoids", "slopes", "turn", "turns"]

LONGEST = 4096  # default number of learned positions
BASE = 10_000.0


class Sinusoidal(nn.Module):
    """Sinusoidal positions, added to the input; rows can have any length.

    ::

        y_t = x_t + g · P[t]        P[t, 2i] = sin(t / 10000^(2i/W))        P[t, 2i+1] = cos(t / 10000^(2i/W))

    Args:
        width: W ≥ 1.

    Shape:
        x (B, T, W), positions (T,) or (B, T) int64 -> y (B, T, W). g is one learned number, 1 at first, so that
        positions and input start about equally large.

    Raises:
        UsageError: a width below 1.

    Cost:
        W/2 sines and cosines per step, once for all rows at the same step; one weight.

    References:
        Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762; with a learned gain: Li et al. 2018,
        https://arxiv.org/abs/1809.08895

    Example:
        >>> Sinusoidal(4)(torch.zeros(1, 2, 4), torch.arange(2)).round(decimals=2)[0, 0].tolist()
        [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width < 1:
            raise UsageError(f"Sinusoidal: width must be at least 1, got {width}")
        self.width, self.gain = width, nn.Parameter(torch.ones(1))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return str(self.width)

    def forward(self, x: Tensor, positions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Add to each step of ``x`` the encoding of its position."""
        return x + self.gain * sinusoids(positions, x.shape[-1]).to(x.dtype)


class Learned(nn.Module):
    """A learned vector for each step number, added to the input.

    ::

        y_t = x_t + P[t]        at first P ~ N(0, 1)

    Args:
        width: W ≥ 1.
        longest: the number of positions, ≥ 1.

    Shape:
        x (B, T, W), positions (T,) or (B, T) int64 in 0 … longest - 1 within ``lengths`` -> y (B, T, W).

    Raises:
        UsageError: a number below 1.
        ShapeError: a step beyond the table.

    Cost:
        W additions per row and step; W · longest weights.

    References:
        Gehring et al. 2017, section 3.1, https://arxiv.org/abs/1705.03122

    Example:
        >>> Learned(4, longest=10)(torch.zeros(2, 3, 4), torch.arange(3)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, width: int, longest: int = LONGEST) -> None:
        super().__init__()
        for name, number in (("width", width), ("longest", longest)):
            if number < 1:
                raise UsageError(f"Learned: {name} must be at least 1, got {number}")
        self.width, self.longest = width, longest
        self.weight = nn.Parameter(torch.randn(longest, width))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return arguments(self, {"width": self.width, "longest": self.longest})

    def forward(self, x: Tensor, positions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Add to each step of ``x`` the vector of its position."""
        if lengths is not None:  # only real steps must be within the table
            positions = torch.where(real_steps(lengths, x.shape[1]), positions, 0)
        if positions.numel() and (last := int(positions.max())) >= len(self.weight):
            raise ShapeError(
                f"Learned: a row has {last + 1} steps, but there are only {len(self.weight)} learned positions: "
                "choose other positions, such as rotary, which have no limit"
            )
        return x + embedding(positions, self.weight)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """P (…, W) float64 of `Sinusoidal` for ``positions`` (…).

    >>> sinusoids(torch.tensor([0]), 3).tolist()
    [[0.0, 1.0, 0.0]]
    """
    angles = _angles(positions, width, math.ceil(width / 2))  # (…, ⌈W/2⌉)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., :width]


class Turns(NamedTuple):
    """``cos`` and ``sin`` (…, T, 1, ⌊D/2⌋) of the rotation angles of rotary positions."""

    cos: Tensor
    sin: Tensor


def turns(positions: Tensor, width: int, like: Tensor) -> Turns:
    """The rotation angles θ_i(t) = t / 10000^(2i/D) for heads of ``width`` D, with the dtype and device of ``like``.

    They are computed in float64: at a million steps, float32 would lose the fast angles.

    References:
        Su et al. 2021, https://arxiv.org/abs/2104.09864
    """
    angles = _angles(positions, width, width // 2).unsqueeze(-2)
    return Turns(angles.cos().to(like.dtype), angles.sin().to(like.dtype))


def turn(x: Tensor, by: Turns) -> Tensor:
    """``x`` (…, T, H, D) with each pair (x_i, x_{i + ⌊D/2⌋}) rotated by θ_i(t); for an odd D the last number stays.

    The product of a rotated query and a rotated key depends only on the distance between them.
    """
    half = by.cos.shape[-1]
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat([a * by.cos - b * by.sin, a * by.sin + b * by.cos, rest], -1)


def slopes(heads: int) -> list[float]:
    """How much ALiBi subtracts from each head's score per step of distance: 2^(-8/H), 2^(-16/H), …, 2^-8.

    If H is not a power of two: the slopes of the next lower power P, then every other slope of 2P heads.

    References:
        Press, Smith and Lewis 2022, https://arxiv.org/abs/2108.12409

    >>> slopes(2), slopes(3)
    ([0.0625, 0.00390625], [0.0625, 0.00390625, 0.25])
    """
    power = 2 ** int(math.log2(heads))
    first = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    return first if power == heads else first + slopes(2 * power)[::2][: heads - power]


def _angles(positions: Tensor, width: int, count: int) -> Tensor:
    frequencies = BASE ** (torch.arange(count, dtype=torch.float64, device=positions.device) * (-2 / width))
    return positions.unsqueeze(-1) * frequencies
