"""A choice among very many symbols whose scores are only computed where they are asked for.

Axes: B rows, T steps, N steps that are asked for, H hidden, V symbols, S of them drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers.sampled_softmax import CandidateSampler

__all__ = ["LazyLogits"]

_SCORES = 1 << 24  # that are in memory at a time where nothing is learned from them


@dataclass(frozen=True, slots=True)
class LazyLogits:
    """What a network makes of a batch where it chooses among many symbols: all that their scores need.

    Attributes:
        hidden: (B, T, H), or (N, H) once `at` has taken the steps that are asked for.
        weight: (V, H).
        bias: (V,).
        sampler: draws the symbols from which the loss is estimated; ``None``: it is exact.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    sampler: CandidateSampler | None = None

    def float(self) -> LazyLogits:
        """With the hidden states as float32."""
        return replace(self, hidden=self.hidden.float())

    def detach(self) -> LazyLogits:
        """The same numbers, through which no gradient flows."""
        return replace(self, hidden=self.hidden.detach(), weight=self.weight.detach(), bias=self.bias.detach())

    def at(self, *index: Tensor) -> LazyLogits:
        """The steps at ``index``, a (B, T) mask or rows and steps."""
        return replace(self, hidden=self.hidden[index])

    def scores(self) -> Tensor:
        """Of every symbol, (..., V)."""
        return F.linear(self.hidden, self.weight, self.bias)

    def pieces(self) -> Iterator[tuple[slice, Tensor]]:
        """Which of the N steps, and their scores (n, V): all of them in turn, a bounded number of scores at a time."""
        size = max(1, _SCORES // len(self.weight))
        for start in range(0, len(self.hidden), size):
            part = slice(start, start + size)
            yield part, F.linear(self.hidden[part], self.weight, self.bias)

    def nats(self, right: Tensor) -> Tensor:
        r"""The sum of −log softmax(o)_y over the N steps; from a sampler's candidates, its estimate.

        .. math::
            -o_y + \log\Big(e^{o_y} + \sum_{v \in S,\, v \ne y} \frac{e^{o_v}}{p_v}\Big)

        The sum under the logarithm is right on average, its logarithm nearly so, and exactly where S is all symbols.
        The gradient touches the rows of S and of the right symbols alone, and is sparse.

        Args:
            right: (N,) int64.

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
