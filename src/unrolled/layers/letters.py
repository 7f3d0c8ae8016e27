"""Vectors of words that are made of their letters.

Axes: B rows, T steps, N words of all rows, L letters of a word, K known letters, F filters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from unrolled.cells._arguments import arguments
from unrolled.errors import ShapeError
from unrolled.layers.graph import Value, concat, where

__all__ = ["LETTER", "WordLetters"]

LETTER = 25  # numbers of a letter
_FILTERS, _REACH = 50, 3  # filters; the letters that one sees at once


class WordLetters(nn.Module):
    """A vector for each word, from a convolution over its letters: rare and new words are read by their parts.

    ::

        e_l = E[c_l],    a_l = W [e_{l-1}; e_l; e_{l+1}] + b,    y = g · max_l a_l        over the letters of the word

    Beyond both ends of a word e is 0. Padding is never counted, so y does not depend on L. A word without letters has
    y = 0.

    Args:
        letters: a vector for each of K ids, of which 0 is padding: an `Embedding`.
        width: L ≥ 1, the letters of the longest word.
        gain: g (see `Embedding`).

    Shape:
        x (B, T, L) or (B, L) of an integer dtype, in 0 … K-1 -> y (B, T, F) or (B, F), F = 50.

    Raises:
        ShapeError: not integers, another number of letters, or an id out of range.

    Cost:
        75·F multiply-adds per letter; 25·K + 76·F weights.

    References:
        Ma and Hovy 2016, https://arxiv.org/abs/1603.01354; Chiu and Nichols 2016, https://arxiv.org/abs/1511.08308

    Example:
        >>> from unrolled.layers.embed import Embedding
        >>> letters = WordLetters(Embedding(9, 25), width=4)
        >>> y = letters(torch.tensor([[[2, 3, 4, 0], [0, 0, 0, 0]]]))
        >>> y.shape, bool((y[0, 1] == 0).all())
        (torch.Size([1, 2, 50]), True)
    """

    def __init__(self, letters: nn.Module, width: int, gain: float = 1.0) -> None:
        super().__init__()
        self.width, self.output_size, self.gain = width, _FILTERS, gain
        self.letters: Any = letters
        self.filters = nn.Linear(_REACH * LETTER, _FILTERS)

    def extra_repr(self) -> str:
        """The numbers that it was made with."""
        return arguments(self, {"width": self.width, "gain": self.gain})

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for each letter."""
        return self.filters.weight.numel()

    def forward(self, x: Tensor) -> Tensor:
        """The vectors of the words with the letters ``x``."""
        if x.dim() not in (2, 3) or x.shape[-1] != self.width:
            shape, width = tuple(x.shape), self.width
            raise ShapeError(f"WordLetters: x has shape {shape}, expected (B, T, {width}) or (B, {width})")
        words = x.reshape(-1, self.width)
        real = (words > 0)[..., None]  # (N, L, 1)
        e = torch.where(real, self.letters(words), 0.0)
        wide = pad(e, (0, 0, 1, 1))  # one more place at both ends of each word
        a = self.filters(torch.cat([wide[:, :-2], e, wide[:, 2:]], -1))  # (N, L, F)
        y = torch.where(real, a, torch.finfo(a.dtype).min).amax(1)
        y = torch.where(real.any(1), y, 0.0)
        return (y if self.gain == 1 else self.gain * y).reshape(*x.shape[:-1], self.output_size)

    def graph(self, x: Value) -> Value:
        """The vectors of the words with the letters ``x`` (B, T, L) as operators."""
        g = x.graph
        words = x.reshape(-1, self.width)
        real = (words > 0).unsqueeze(2)  # (N, L, 1)
        e = where(real, self.letters.graph(words), 0.0)
        nothing = g.constant(np.float32(0)).expand(words.size(0), 1, LETTER)
        wide = concat([nothing, e, nothing], 1)
        near = [wide.part(at, self.width + at, 1) for at in range(_REACH)]
        a = g.linear(concat(near, 2), self.filters.weight, self.filters.bias)  # (N, L, F)
        y = where(real, a, float(np.finfo(np.float32).min)).max(1)
        y = where(words.max(1).unsqueeze(1) > 0, y, 0.0) * self.gain
        return y.reshape(x.size(0), x.size(1), self.output_size)
