"""Cells whose gates see the input alone, so that the state's step is linear and no unit knows another.

Axes: B rows, H hidden units.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from unrolled.cells.cell import Cell

__all__ = ["DiagonalCell", "first_memory"]

_LONGEST = 128  # steps


@runtime_checkable
class DiagonalCell(Cell, Protocol):
    """A cell with ``h_t = a_t ⊙ h_{t-1} + b_t``: what each step is made of is known before the first one is taken."""

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` (…, I) -> ``a`` and ``b`` (…, H)."""


def first_memory(hidden_size: int) -> Tensor:
    """(H,): what σ takes to the share that each unit keeps at first, so that they remember over 2 to 128 steps.

    ::

        σ(m_k) = 1 - 1 / T_k        T_k - 1 = 127^(k / (H - 1)),   k = 0 … H - 1

    What is left of a state after T_k steps is about 1/e of it. Since the gates do not see the state, a unit's time is
    set by the data alone; units that start with different times find something to learn at every distance, where a
    constant bias would start them all at one. Evenly spread logarithms do without a random draw.

    References:
        Tallec and Ollivier 2018, Can recurrent neural networks warp time?, https://arxiv.org/abs/1804.11188

    Example:
        >>> torch.sigmoid(first_memory(2))
        tensor([0.5000, 0.9922])
    """
    return torch.linspace(0, math.log(_LONGEST - 1), hidden_size)
