"""Diagonal cells: their gates see only the input, so the state's update is linear and each unit is independent.

Axes: B rows, H hidden units.
"""

from __future__ import annotations

import math
from typing import ClassVar, Protocol, TypeGuard

import torch
from torch import Tensor

from unrolled.cells.cell import Cell

__all__ = ["DiagonalCell", "first_memory", "is_diagonal"]

_LONGEST = 128  # steps


class DiagonalCell(Cell, Protocol):
    """A cell with ``h_t = a_t ⊙ h_{t-1} + b_t``: ``a`` and ``b`` of all steps can be computed before the first step."""

    gates: ClassVar[tuple[str, ...]]

    def shares(self, x: Tensor) -> tuple[Tensor, ...]:
        """``x`` (…, I) -> each of ``gates`` (…, H)."""

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` (…, I) -> ``a`` and ``b`` (…, H)."""


def is_diagonal(cell: Cell) -> TypeGuard[DiagonalCell]:
    """Whether ``cell`` has `DiagonalCell.terms`; it asks the class, because compilers cannot trace a look at a view."""
    return hasattr(type(cell), "terms")


def first_memory(hidden_size: int) -> Tensor:
    """(H,): initial gate biases, for which the units remember over 2 to 128 steps.

    ::

        σ(m_k) = 1 - 1 / T_k        T_k - 1 = 127^(k / (H - 1)),   k = 0 … H - 1

    After T_k steps about 1/e of a state is left. Units that start with different time scales can learn dependencies at
    every distance, while a constant bias would start all of them at the same one. The time scales are evenly spaced on
    a logarithmic scale, without random numbers.

    References:
        Tallec and Ollivier 2018, Can recurrent neural networks warp time?, https://arxiv.org/abs/1804.11188

    Example:
        >>> torch.sigmoid(first_memory(2))
        tensor([0.5000, 0.9922])
    """
    return torch.linspace(0, math.log(_LONGEST - 1), hidden_size)
