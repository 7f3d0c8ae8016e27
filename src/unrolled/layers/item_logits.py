"""Logits over very many items, computed only where they are needed.

Axes: B rows, T steps, N selected steps, H hidden, V symbols, S sampled symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers.item_outputs import ItemOutputs
from unrolled.layers.sampled_softmax import CandidateSampler

__all__ = ["LazyLogits"]


@dataclass(frozen=True, slots=True)
class LazyLogits(ItemOutputs):
    """The output of a network over very many symbols: hidden states and head, from which scores are computed on demand.

    Attributes:
        hidden: (B, T, H), or (N, H) after `at` has selected steps.
        weight: (V, H).
        bias: (V,).
        sampler: samples the symbols that estimate the loss; ``None``: the loss is exact.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    sampler: CandidateSampler | None = None

    @property
    def size(self) -> int:
        """V."""
        return len(self.weight)

    def float(self) -> Self:
        """The same logits with the hidden states as float32."""
        return replace(self, hidden=self.hidden.float())

    def detach(self) -> LazyLogits:
        """The same logits, detached from the graph."""
        return replace(self, hidden=self.hidden.detach(), weight=self.weight.detach(), bias=self.bias.detach())

    def at(self, *index: Tensor | slice) -> Self:
        """The logits of the steps at ``index``."""
        return replace(self, hidden=self.hidden[index])

    def scores(self) -> Tensor:
        """The scores of every symbol, (..., V)."""
        return F.linear(self.hidden, self.weight, self.bias)

    def nats(self, right: Tensor) -> Tensor:
        r"""The sum of −log softmax(o)_y over the N steps; with a sampler, an estimate of it:

        .. math::
            -o_y + \log\Big(e^{o_y} + \sum_{v \in S,\, v \ne y} \frac{e^{o_v}}{p_v}\Big)

        The sum under the logarithm is unbiased, its logarithm nearly so; with all symbols in S both are exact. The
        gradient is sparse: it only has the rows of S and of the right symbols.

        Args:
            right: (N,) int64, the right symbols.

        Cost: N·V·H multiply-adds and N·V numbers of memory; with a sampler N·S·H and N·S.

        References:
            Bengio and Sénécal 2003, https://proceedings.mlr.press/r4/bengio03a.html; Jean et al. 2015,
            https://arxiv.org/abs/1412.2007
        """
        if self.sampler is None:
            return F.cross_entropy(self.scores(), right, reduction="sum")
        ids, chances = (drawn.to(right.device) for drawn in self.sampler.draw())
        others = F.linear(self.hidden, F.embedding(ids, self.weight, sparse=True), self.bias[ids] - chances.log())
        others = others.masked_fill(ids == right[:, None], -torch.inf)  # (N, S)
        own = (self.hidden * F.embedding(right, self.weight, sparse=True)).sum(-1) + self.bias[right]  # (N,)
        return (torch.cat([own[:, None], others], 1).logsumexp(1) - own).sum()
