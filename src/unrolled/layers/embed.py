"""Embeddings: they turn the values of a column into vectors. Axes: B rows, T steps, K symbols, W width.

The caller must fill padding with a symbol in range.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from unrolled.batch import Discrete, Spec, Spelled
from unrolled.cells._arguments import arguments
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.graph import Value
from unrolled.layers.letters import LETTER, WordLetters
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.program.instructions import Embed, Hot, Symbol, Vector
from unrolled.program.program import Program

__all__ = ["Embedded", "Embedding", "Numbers", "OneHot", "embed"]

_WIDEST = 128


def embed(spec: Spec, size: int | None = None, gain: float = 1.0) -> Embedded:
    """A new module that turns the values of a column into vectors.

    Args:
        spec: the column's spec.
        size: the width of an embedding; 0 for one-hot; ``None``: the number of symbols in the first training, at most
            128.
        gain: the gain of an embedding (see `Embedding`).

    Example:
        >>> embed(Discrete(65)).output_size, embed(Discrete(65), 16).output_size, embed(Discrete(9), 0).output_size
        (65, 16, 9)
    """
    if isinstance(spec, Spelled):
        return WordLetters(Embedding(spec.size, LETTER), spec.width, gain)
    if not isinstance(spec, Discrete):
        return Numbers(spec.width)
    if spec.encoder is not None:
        return PretrainedEncoder(spec.encoder)
    if size == 0:
        return OneHot(spec.size)
    return Embedding(spec.size, min(spec.size - spec.appended, _WIDEST) if size is None else size, gain)


_FIRST = 0.1  # standard deviation at first: a symbol that is rare in training stays near 0 and does not mislead


class Embedding(nn.Module):
    """A learned vector for each symbol.

    ::

        y_t = g · E[x_t]        at first E ~ 0.1 · N(0, 1)

    Args:
        size: K ≥ 1 symbols.
        width: W ≥ 1.
        gain: g, which is not learned. A layer with residual connections needs inputs as large as what it adds, while E
            stays small, since a tied head may use it as weights (Vaswani et al. 2017, section 3.4, take √W).

    Shape:
        x (B, T) or (B,) of an integer dtype, in 0 … K-1 -> y (B, T, W) or (B, W).

    Raises:
        UsageError: a size below 1.
        ShapeError: not integers, or a symbol out of range; the message names it and its place.

    Cost:
        W numbers read per row and step; K·W weights.

    References:
        Bengio et al. 2003, https://www.jmlr.org/papers/v3/bengio03a.html

    Example:
        >>> Embedding(10, 4)(torch.tensor([[1, 2, 9]])).shape
        torch.Size([1, 3, 4])
    """

    def __init__(self, size: int, width: int, gain: float = 1.0) -> None:
        super().__init__()
        for name, number in (("size", size), ("width", width)):
            if number < 1:
                raise UsageError(f"Embedding: {name} must be at least 1, got {number}")
        self.size, self.output_size, self.gain = size, width, gain
        self.weight = nn.Parameter(torch.randn(size, width).mul_(_FIRST))
        self.sparse = False  # True: the gradient has only the rows of the symbols that were read

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return arguments(self, {"size": self.size, "width": self.output_size, "gain": self.gain})

    def forward(self, x: Tensor) -> Tensor:
        """The vectors of the symbols ``x``."""
        y = embedding(_symbols(x, self.size, "Embedding"), self.weight, sparse=self.sparse)
        return y if self.gain == 1 else self.gain * y

    def graph(self, x: Value) -> Value:
        """The vectors of the symbols ``x`` as operators."""
        y = x.graph.op("Gather", x.graph.constant(self.weight), x)
        return y if self.gain == 1 else y * self.gain

    def write_step(self, program: Program, value: Vector | Symbol) -> Vector:
        """Write the vector of a symbol."""
        assert isinstance(value, Symbol)
        y = program.local("embedded", self.output_size)
        program.add(Embed(y, program.constant("embedding", self.gain * self.weight), value))
        return y


class OneHot(nn.Module):
    """One-hot vectors: 1 at the index of the symbol, 0 elsewhere.

    ::

        y_t[k] = 1 if k = x_t else 0

    Args:
        size: K ≥ 1 symbols.

    Shape:
        x (B, T) or (B,) of an integer dtype, in 0 … K-1 -> y (B, T, K) or (B, K).

    Raises:
        UsageError: a size below 1.
        ShapeError: not integers, or a symbol out of range; the message names it and its place.

    Cost:
        K numbers written per row and step; no weights.

    References:
        Elman 1990, https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> OneHot(3)(torch.tensor([2])).tolist()
        [[0.0, 0.0, 1.0]]
    """

    like: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise UsageError(f"OneHot: size must be at least 1, got {size}")
        self.size = self.output_size = size
        self.register_buffer("like", torch.empty(0), persistent=False)  # follows the module's dtype and device

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return str(self.size)

    def forward(self, x: Tensor) -> Tensor:
        """The symbols ``x``, one-hot."""
        symbols = _symbols(x, self.size, "OneHot").unsqueeze(-1)
        return self.like.new_zeros(*x.shape, self.size).scatter_(-1, symbols, 1)

    def graph(self, x: Value) -> Value:
        """The symbols ``x``, one-hot, as operators."""
        g = x.graph
        return g.op("OneHot", x, g.sizes(self.size), g.constant([0, 1], np.float32), dtype=np.float32)

    def write_step(self, program: Program, value: Vector | Symbol) -> Vector:
        """Write a symbol, one-hot."""
        assert isinstance(value, Symbol)
        y = program.local("hot", self.size)
        program.add(Hot(y, value))
        return y


class Numbers(nn.Module):
    """Pass columns of numbers through unchanged, after a check of their shape.

    ::

        y_t = x_t

    Args:
        width: W ≥ 1.

    Shape:
        x (B, T, W) or (B, W) -> y of the same shape.

    Raises:
        ShapeError: another width.

    Cost:
        Nothing.

    References:
        The identity, https://docs.pytorch.org/docs/stable/generated/torch.nn.Identity.html

    Example:
        >>> Numbers(2)(torch.ones(3, 2)).shape
        torch.Size([3, 2])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output_size = width

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return str(self.output_size)

    def forward(self, x: Tensor) -> Tensor:
        """``x``, if it fits."""
        if x.dim() not in (2, 3) or x.shape[-1] != self.output_size:
            raise ShapeError(
                f"Numbers: x has shape {tuple(x.shape)}, expected (B, T, {self.output_size}) or (B, {self.output_size})"
            )
        return x

    def graph(self, x: Value) -> Value:
        """``x`` as it is."""
        return x

    def write_step(self, program: Program, value: Vector | Symbol) -> Vector:
        """The numbers as they are."""
        assert isinstance(value, Vector)
        return value


Embedded = Embedding | OneHot | Numbers | WordLetters | PretrainedEncoder


def _symbols(x: Tensor, size: int, owner: str) -> Tensor:
    """``x`` as int64, checked to be in range: an index out of range would crash the process on a GPU."""
    if x.dim() not in (1, 2) or x.is_floating_point() or x.dtype == torch.bool:
        raise ShapeError(f"{owner}: x is {tuple(x.shape)} {x.dtype}, expected integers (B, T) or (B,)")
    x = x.to(torch.int64)
    if x.numel() == 0:
        return x
    low, high = (int(bound) for bound in x.aminmax())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        place = tuple((x == wrong).nonzero()[0].tolist())
        raise ShapeError(f"{owner}: x[{', '.join(map(str, place))}] is {wrong}, expected 0 … {size - 1}")
    return x
