"""The blocks of a transformer. Axes: B rows, T steps, W width, F inner width."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from unrolled.errors import UsageError, did_you_mean
from unrolled.layers.attention.cache import KVCache, Memory
from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
from unrolled.layers.attention.positions import Turns
from unrolled.layers.attention.view import View

__all__ = ["FeedForward", "TransformerBlock", "make_norm"]

_EIGHT = 8  # F is a multiple of 8, which runs faster


class FeedForward(nn.Module):
    """Two linear maps with a nonlinearity between them, applied to each step.

    ::

        gelu:    y = W_o gelu(W_i x)                    F = 4W
        swiglu:  y = W_o (silu(W_g x) ⊙ W_i x)          F = 8/3 W, so that both cost the same

    Args:
        width: W ≥ 1.
        kind: ``gelu`` or ``swiglu``.

    Shape:
        x (…, W) -> y (…, W).

    Raises:
        UsageError: an unknown kind.

    Cost:
        8W² multiply-adds per row and step; F is rounded up to a multiple of 8.

    References:
        Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415; Shazeer 2020, https://arxiv.org/abs/2002.05202

    Example:
        >>> FeedForward(6, "swiglu")(torch.zeros(2, 6)).shape
        torch.Size([2, 6])
    """

    def __init__(self, width: int, kind: Literal["gelu", "swiglu"]) -> None:
        super().__init__()
        if kind not in (kinds := ("gelu", "swiglu")):
            raise UsageError(f"unknown feedforward {kind!r}.{did_you_mean(kind, kinds)}")
        self.gated = kind == "swiglu"
        inner = -(-(8 * width if self.gated else 12 * width) // (3 * _EIGHT)) * _EIGHT
        self.inner = nn.Linear(width, 2 * inner if self.gated else inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)
        for linear in (self.inner, self.out):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.out.out_features}, {'swiglu' if self.gated else 'gelu'!r}"

    def forward(self, x: Tensor) -> Tensor:
        """Map each vector separately."""
        if not self.gated:
            return self.out(gelu(self.inner(x)))
        gate, value = self.inner(x).chunk(2, -1)
        return self.out(silu(gate) * value)


class TransformerBlock(nn.Module):
    """One transformer block: self-attention, optional cross-attention to a memory, and a feed-forward network.

    ::

        pre-norm:   x ← x + part(norm(x))               for each part in turn
        post-norm:  x ← norm(x + part(x))

    Args:
        own: self-attention.
        cross: cross-attention to a memory; ``None`` without a memory.
        width: W.
        dropout: dropout rate of each part's output, 0 ≤ p < 1.
        norm: ``rms`` or ``layer``.
        norm_first: pre-norm, which trains without a warm-up; otherwise post-norm.
        feedforward: ``gelu`` or ``swiglu``.
        depth: the number of blocks in the stack. The output weights of each part start scaled by
            1/√(parts in the whole stack), so that the sum of all parts is about as large as the input at any depth.

    Shape:
        x (B, T, W) -> y (B, T, W).

    Raises:
        UsageError: an unknown norm or feedforward.

    Cost:
        that of its attentions, and 8W² multiply-adds per row and step.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; where to normalise: Xiong et al. 2020,
        https://arxiv.org/abs/2002.04745; first weights: Radford et al. 2019, section 2.3,
        https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf

    Example:
        >>> own = SelfAttention(8, heads=2)
        >>> block, x = TransformerBlock(own, None, 8, 0.0, "rms", True, "gelu", depth=1), torch.zeros(1, 3, 8)
        >>> block(x, own.view(x, None, None), None, None)[0].shape
        torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        own: SelfAttention,
        cross: CrossAttention | None,
        width: int,
        dropout: float,
        norm: Literal["rms", "layer"],
        norm_first: bool,
        feedforward: Literal["gelu", "swiglu"],
        depth: int,
    ) -> None:
        super().__init__()
        self.own, self.cross, self.feedforward = own, cross, FeedForward(width, feedforward)
        self.norm_first, self.dropout = norm_first, nn.Dropout(dropout)
        parts = [part.out for part in (own, cross, self.feedforward) if part is not None]
        self.norms = nn.ModuleList(make_norm(norm, width) for _ in parts)
        with torch.no_grad():
            for out in parts:
                out.weight.mul_((len(parts) * depth) ** -0.5)

    def extra_repr(self) -> str:
        """The width, and whether the norm comes first."""
        return f"{self.own.width}, norm_first={self.norm_first}"

    def forward(
        self,
        x: Tensor,
        view: View,
        by: Turns | None,
        state: KVCache | None,
        memory: Memory | None = None,
        seen: Tensor | None = None,
    ) -> tuple[Tensor, KVCache | None]:
        """Run the block.

        Args:
            x: the input, with zeros at padding.
            view: which steps each step sees.
            by: the angles of rotary positions.
            state: keys and values of the steps before.
            memory: the memory, projected by this block.
            seen: the mask of the memory's real steps.
        """
        norms = iter(self.norms)
        norm = next(norms)
        y, after = self.own.run(norm(x) if self.norm_first else x, view, by, state)
        x = self._add(x, y, norm)
        if self.cross is not None and memory is not None:
            norm = next(norms)
            x = self._add(x, self.cross.run(norm(x) if self.norm_first else x, memory, seen), norm)
        norm = next(norms)
        x = self._add(x, self.feedforward(norm(x) if self.norm_first else x), norm)
        return x, after

    def _add(self, x: Tensor, y: Tensor, norm: nn.Module) -> Tensor:
        x = x + self.dropout(y)
        return x if self.norm_first else norm(x)


def make_norm(kind: Literal["rms", "layer"], width: int) -> nn.Module:
    """A new normalisation layer for vectors of ``width``.

    Raises:
        UsageError: an unknown kind.
    """
    if kind not in (kinds := ("rms", "layer")):
        raise UsageError(f"unknown norm {kind!r}.{did_you_mean(kind, kinds)}")
    return nn.RMSNorm(width, eps=1e-6) if kind == "rms" else nn.LayerNorm(width)
