"""A tied head: it scores symbols with the weights of their embedding. Axes: H width, V symbols."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.errors import UsageError, named
from unrolled.layers.embed import Embedding
from unrolled.layers.graph import Value

__all__ = ["TiedHead", "checked_table"]


class TiedHead(nn.Module):
    """A linear head whose weights are those of an embedding; only the bias is its own.

    ::

        o_t = E h_t + b

    Args:
        outputs: V ≥ 1.

    Shape:
        h (…, H) float, vectors (V, H) -> (…, V) float.

    Raises:
        RuntimeError: the vectors are not as wide as h; torch raises it.

    Cost:
        H·V multiply-adds per step; V own weights.

    References:
        Press and Wolf 2017, https://arxiv.org/abs/1608.05859

    Example:
        >>> TiedHead(9)(torch.ones(2, 4), torch.randn(9, 4)).shape
        torch.Size([2, 9])
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(outputs))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return str(len(self.bias))

    def forward(self, h: Tensor, vectors: Tensor) -> Tensor:
        """The scores of all symbols."""
        return linear(h, vectors, self.bias)

    def graph(self, h: Value, vectors: Tensor) -> Value:
        """The scores of all symbols as operators."""
        return h.graph.linear(h, vectors, self.bias)


def checked_table(symbols: nn.Module, width: int) -> Embedding:
    """``symbols``, if a head can be tied to them.

    Raises:
        UsageError: they are no embedding as wide as ``width``, the outputs of the layer.
    """
    if not isinstance(symbols, Embedding) or symbols.output_size != width:
        raise UsageError(
            f"{named('tied')} needs embeddings as wide as the layer's outputs, {width}: leave {named('embedding')} out"
        )
    return symbols
