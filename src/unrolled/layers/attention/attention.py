"""Attention: each query gets a weighted mean of the steps of a memory.

Axes: B rows, U queries, S steps of the memory, Q and M the widths of a query and of the memory, K that of a key.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.errors import ShapeError, UsageError, did_you_mean
from unrolled.layers.attention.cache import Memory, seen_memory
from unrolled.layers.graph import Value, is_real, where, zeroed
from unrolled.layers.lengths import check_lengths, real_steps, zero_padding
from unrolled.watch import show_steps, wanted, watched

__all__ = ["Attention"]

Kind = Literal["additive", "dot", "scaled_dot", "cosine"]
_KINDS = ("additive", "dot", "scaled_dot", "cosine")
_SHARP = 10.0  # first g of the cosine: with g = 1 no step could get more than e² times the weight of another
_LITTLE = 1e-6  # keeps the gradient of a zero vector's length finite


class Attention(nn.Module):
    """A score for each step of the memory, a softmax over the scores, and the mean of the memory by these weights.

    ::

        additive:    e_us = w · tanh(W_q q_u + b + W_k m_s)
        dot:         e_us = (W_q q_u) · (W_k m_s)
        scaled_dot:  e_us = (W_q q_u) · (W_k m_s) / √K
        cosine:      e_us = g · cos(W_q q_u, W_k m_s),    cos(a, b) = a · b / √((a² + ε)(b² + ε))
        a_u = softmax_s(e_us) over the real steps s        context_u = Σ_s a_us m_s,  0 where there is no step

    With ``coverage``, the score also depends on c_us = Σ_{v<u} a_vs, the attention that step s has received so far, so
    that a decoder can learn not to skip or repeat: w_c c_us is added inside the tanh, or to the other scores.

    Args:
        query_size: Q ≥ 1, such as the width of a decoder's state.
        memory_size: M ≥ 1, such as the width of an encoder's outputs.
        kind: the score.
        hidden: K ≥ 1; ``None``: M.
        coverage: use coverage. Queries then run one after another.

    Shape:
        query (B, U, Q), memory (B, S, M) -> context (B, U, M); lengths (B,) integers, 0 … S. Watchers are shown the
        weights a as ``attention`` (B, U, S), with coverage one query at a time.

    Raises:
        UsageError: an unknown kind, a number out of range.
        ShapeError: the query, the memory or its lengths do not fit.

    Cost:
        QK multiply-adds per query, MK once per step of the memory, and K + M per pair of query and step.

    References:
        additive: Bahdanau, Cho and Bengio 2014, https://arxiv.org/abs/1409.0473; dot: Luong, Pham and Manning 2015,
        https://arxiv.org/abs/1508.04025; scaled: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; cosine: Graves,
        Wayne and Danihelka 2014, https://arxiv.org/abs/1410.5401; coverage: See, Liu and Manning 2017,
        https://arxiv.org/abs/1704.04368

    Example:
        >>> attention, memory = Attention(4, 6, "additive"), torch.randn(2, 5, 6)
        >>> attention(torch.randn(2, 3, 4), memory, torch.tensor([5, 2])).shape
        torch.Size([2, 3, 6])
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        kind: Kind = "scaled_dot",
        hidden: int | None = None,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise UsageError(f"unknown attention {kind!r}.{did_you_mean(kind, _KINDS)}")
        hidden = memory_size if hidden is None else hidden
        for name, size in (("query_size", query_size), ("memory_size", memory_size), ("hidden", hidden)):
            if size < 1:
                raise UsageError(f"Attention: {name} must be at least 1, got {size}")
        self.query_size, self.memory_size, self.kind = query_size, memory_size, kind
        self.queries = nn.Linear(query_size, hidden, bias=kind == "additive")
        self.keys = nn.Linear(memory_size, hidden, bias=False)
        for linear in (self.queries, self.keys):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
        if kind == "additive":
            nn.init.zeros_(self.queries.bias)
            self.score = nn.Parameter(torch.randn(hidden).mul_(hidden**-0.5))
        if kind == "cosine":
            self.sharpness = nn.Parameter(torch.full((1,), _SHARP))
        # Starting at 0, coverage has no effect at first.
        self.coverage = nn.Parameter(torch.zeros(hidden if kind == "additive" else 1)) if coverage else None

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "query_size": self.query_size,
            "memory_size": self.memory_size,
            "kind": self.kind,
            "hidden": self.queries.out_features,
            "coverage": self.coverage is not None,
        }
        return arguments(self, values)

    def forward(self, query: Tensor, memory: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The context."""
        return self.attend(query, self.project(memory, lengths))[0]

    def project(self, memory: Tensor, lengths: Tensor | None = None) -> Memory:
        """Compute the keys (B, S, K) of a memory, once for any number of queries; a state can carry the result."""
        check_input(memory, "(B, S, I)", self.memory_size, self.keys.weight, "Attention: memory")
        real = check_lengths(lengths, memory, "Attention: memory")
        memory = zero_padding(memory, real)
        if real is None:
            real = torch.full((len(memory),), memory.shape[1], device=memory.device)
        return Memory(self._unit(self.keys(memory)), memory, real)

    def attend(
        self,
        query: Tensor,
        memory: Memory,
        covered: Tensor | None = None,
        query_lengths: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Answer the next queries of each row: the context (B, U, M), and (B, S), the sum of all weights so far.

        Args:
            query: (B, U, Q).
            memory: the result of `project`.
            covered: (B, S), from the queries before; ``None``: these are the first.
            query_lengths: (B,), 0 … U; queries beyond it are padding and add no coverage.
        """
        check_input(query, "(B, U, I)", self.query_size, self.queries.weight, "Attention: query")
        rows, count, _ = query.shape
        steps = memory.keys.shape[1]
        if len(memory.keys) != rows:
            raise ShapeError(f"Attention: the memory has {len(memory.keys)} rows and the query has {rows}")
        if covered is not None and (self.coverage is None or covered.shape != (rows, steps)):
            right = "None, as this attention has no coverage" if self.coverage is None else f"({rows}, {steps})"
            raise ShapeError(f"Attention: covered has shape {tuple(covered.shape)}, expected {right}")
        real = check_lengths(query_lengths, query, "Attention: query")
        queries = self._unit(self.queries(zero_padding(query, real)))  # (B, U, K)
        if self.kind == "cosine":
            queries = queries * self.sharpness
        if not steps or not count or not rows:
            covered = query.new_zeros(rows, steps) if self.coverage is not None and covered is None else covered
            context = query.new_zeros(rows, count, self.memory_size)
            return context, covered
        seen = seen_memory(memory)
        shown = wanted(self, "attention", 2 * rows * count * steps * query.element_size())
        if self.coverage is None and self.kind != "additive" and not shown:
            context = self._fused(queries, memory, seen)
        else:
            found, covered = self._weights(queries, memory, seen, covered, real)
            context = found @ memory.values
        if seen is not None or real is not None:
            exists = (memory.lengths > 0).unsqueeze(1)
            exists = exists if real is None else exists & real_steps(real, count)  # (B, 1 or U)
            context = torch.where(exists.unsqueeze(2), context, context.new_zeros(()))
        return context, covered

    def _unit(self, x: Tensor) -> Tensor:
        """``x`` scaled to length 1 for the cosine, otherwise unchanged."""
        return x * (x.square().sum(-1, keepdim=True) + _LITTLE).rsqrt() if self.kind == "cosine" else x

    @property
    def _scale(self) -> float:
        return self.queries.out_features**-0.5 if self.kind == "scaled_dot" else 1.0

    def _fused(self, queries: Tensor, memory: Memory, seen: Tensor | None) -> Tensor:
        """The context from torch's fused attention, which does not return weights."""
        q, k, v = queries.unsqueeze(1), memory.keys.unsqueeze(1), memory.values.unsqueeze(1)
        return scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=self._scale).squeeze(1)

    def _weights(
        self, queries: Tensor, memory: Memory, seen: Tensor | None, covered: Tensor | None, real: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The weights (B, U, S), and the coverage after these queries."""
        mask = None if seen is None else seen.squeeze(1)  # (B, 1, S)
        if self.coverage is None:
            return self._shown(self._softmax(self._scores(queries, memory.keys), mask), memory), None
        if covered is None:
            covered = queries.new_zeros(memory.keys.shape[:2])
        found = []
        for u, query in enumerate(queries.unbind(1)):
            scores = self._scores(query.unsqueeze(1), memory.keys, covered)
            found.append(self._shown(self._softmax(scores, mask), memory))
            taken = found[-1].squeeze(1)
            counts = memory.lengths > 0 if real is None else (memory.lengths > 0) & (u < real)
            covered = covered + torch.where(counts.unsqueeze(1), taken, taken.new_zeros(()))
        return torch.cat(found, 1), covered

    def _shown(self, found: Tensor, memory: Memory) -> Tensor:
        """The weights (B, n, S) as a watcher returns them; it sees 0 in rows without a memory."""
        if not watched():
            return found
        (found,) = show_steps(self, "attention", found.masked_fill((memory.lengths == 0).view(-1, 1, 1), 0))
        return found

    def _scores(self, queries: Tensor, keys: Tensor, covered: Tensor | None = None) -> Tensor:
        """The scores (B, U, S); with ``covered``, U is 1."""
        if self.kind == "additive":
            pairs = queries.unsqueeze(2) + keys.unsqueeze(1)  # (B, U, S, K)
            if covered is not None and self.coverage is not None:
                pairs = pairs + covered[:, None, :, None] * self.coverage
            return pairs.tanh() @ self.score
        scores = queries @ keys.transpose(1, 2) * self._scale
        if covered is not None and self.coverage is not None:
            scores = scores + covered.unsqueeze(1) * self.coverage
        return scores

    @staticmethod
    def _softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
        return (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1)

    def graph_of_projection(self, memory: Value, lengths: Value) -> Memory:
        """`project` as operators."""
        memory = zeroed(memory, lengths)
        keys = self._unit_value(memory.graph.linear(memory, self.keys.weight))
        return Memory(*cast(Any, (keys, memory, lengths)))

    def graph(self, query: Value, memory: Memory, covered: Value | None) -> tuple[Value, Value, Value | None]:
        """`attend` of one query (B, 1, Q) as operators: the context (B, 1, M), the weights (B, S), the coverage."""
        g = query.graph
        keys, values, lengths = cast("tuple[Value, Value, Value]", memory)
        queries = self._unit_value(g.linear(query, self.queries.weight, self.queries.bias))
        queries = queries * g.constant(self.sharpness) if self.kind == "cosine" else queries
        some = (lengths > 0).unsqueeze(1)
        coverage = None if self.coverage is None else g.constant(self.coverage)
        if self.kind == "additive":
            pairs = queries + keys  # (B, S, K)
            if coverage is not None and covered is not None:
                pairs = pairs + covered.unsqueeze(2) * coverage
            scores = (pairs.apply("Tanh") @ g.constant(self.score[:, None])).squeeze(2)
        else:
            scores = (keys @ queries.transpose(0, 2, 1)).squeeze(2) * self._scale  # (B, S)
            if coverage is not None and covered is not None:
                scores = scores + covered * coverage
        real = is_real(keys, g.op("Max", lengths, 1))
        weights = where(some, where(real, scores, float("-inf")).apply("Softmax", axis=-1), 0.0)
        after = None if covered is None else covered + weights
        return weights.unsqueeze(1) @ values, weights, after

    def _unit_value(self, x: Value) -> Value:
        return x / ((x * x).sum(-1, keep=True) + _LITTLE).apply("Sqrt") if self.kind == "cosine" else x
