"""The outputs of a model over very many items, computed only where they are needed.

Axes: B rows, T steps, N selected steps, V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Chances", "ItemOutputs"]

_LARGEST = 1 << 24  # the most probabilities in memory at a time


class Chances(NamedTuple):
    """The probabilities of symbols at N steps.

    Attributes:
        every: (N, V) that of each symbol.
        nats: (N,) −log p of the right one; of a symbol that is very unlikely, ``every`` may be 0.
    """

    every: Tensor
    nats: Tensor


class ItemOutputs(ABC):
    """Outputs of shape (B, T, V) that are not held in memory: `at` selects steps, `scores` computes theirs.

    A model returns them where its target is an item of a list. What is computed from them is what would be computed
    from the logits.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """V."""

    @abstractmethod
    def at(self, *index: Tensor | slice) -> Self:
        """The outputs of the steps at ``index``: a (B, T) mask, which leaves one axis, N, or rows and steps."""

    @abstractmethod
    def scores(self) -> Tensor:
        """The logits of every symbol, (..., V)."""

    def float(self) -> Self:
        """The same outputs, whose scores are computed from float32."""
        return self

    def chances(self, right: Tensor) -> Chances:
        """The probability of every symbol at each of N steps.

        Args:
            right: (N,) int64, the right symbols.
        """
        scores = self.scores()
        return Chances(torch.softmax(scores, -1), F.cross_entropy(scores, right, reduction="none"))

    def pieces(self, right: Tensor) -> Iterator[tuple[slice, Chances]]:
        """Yield slices of the N steps with their `chances`, a bounded number of them at a time."""
        size = max(1, _LARGEST // self.size)
        for start in range(0, len(right), size):
            part = slice(start, start + size)
            yield part, self.at(part).chances(right[part])

    def nats(self, right: Tensor) -> Tensor:
        """The sum of −log p of the right symbols (N,) over the N steps."""
        return F.cross_entropy(self.scores(), right, reduction="sum")
