"""Pooling: from a vector per step to a vector per row. Axes: B rows, T steps, H width."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.cells._arguments import arguments
from unrolled.errors import ShapeError, UsageError, did_you_mean
from unrolled.layers.graph import Value, concat, is_real, where, zeroed
from unrolled.layers.lengths import check_lengths, last_real, real_steps, zero_padding
from unrolled.program.instructions import Vector
from unrolled.program.program import Program

__all__ = ["PoolState", "Pooling"]


class PoolState(NamedTuple):
    """``value`` (B, H): the last, the sum or the maximum so far; ``steps`` (B,) int64: the number of steps."""

    value: Tensor
    steps: Tensor


class Pooling(nn.Module):
    """Pool each row into one vector: its last real step, or the mean or maximum of its real steps.

    ::

        last: y_n        mean: 1/n Σ_{t≤n} y_t        max: max_{t≤n} y_t        without steps: 0

    Pooling can stream: the state holds everything that the next step needs.

    Args:
        kind: ``last``, ``mean`` or ``max``.
        bidirectional: the second half of y comes from a backward pass. Its *first* step has then seen the whole row,
            and ``last`` takes that one.

    Shape:
        y (B, T, H), lengths (B,) integers, 0 … T -> (B, H).

    Raises:
        UsageError: an unknown kind.
        ShapeError: lengths does not fit.

    Cost:
        H additions or comparisons per row and step; H + 1 numbers of state.

    References:
        Collobert et al. 2011, section 3.3, https://www.jmlr.org/papers/v12/collobert11a.html

    Example:
        >>> y = torch.tensor([[[1.0], [3.0], [float("nan")]]])
        >>> [Pooling(kind)(y, torch.tensor([2]))[0].item() for kind in ("last", "mean", "max")]
        [3.0, 2.0, 3.0]
    """

    def __init__(self, kind: Literal["last", "mean", "max"], bidirectional: bool = False) -> None:
        super().__init__()
        if kind not in (kinds := ("last", "mean", "max")):
            raise UsageError(f"unknown pooling {kind!r}.{did_you_mean(kind, kinds)}")
        self.kind, self.bidirectional = kind, bidirectional

    def forward(
        self, y: Tensor, lengths: Tensor | None = None, state: PoolState | None = None
    ) -> tuple[Tensor, PoolState]:
        """Pool whole rows, or continue from the ``state`` after the previous chunk."""
        if y.dim() != 3:
            raise ShapeError(f"Pooling: y has shape {tuple(y.shape)}, expected (B, T, H)")
        if state is None:
            state = self.initial(len(y), y)
        elif self.bidirectional:
            raise UsageError("a bidirectional layer needs whole rows, so its pooling cannot continue from a state")
        if y.shape[1] == 0:
            return self._answer(state), state
        lengths = check_lengths(lengths, y, "Pooling")
        new = y.shape[1] if lengths is None else lengths
        state = PoolState(self._merge(y, lengths, state.value), state.steps + new)
        return self._answer(state), state

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return arguments(self, {"kind": self.kind, "bidirectional": self.bidirectional})

    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """One step: ``y`` (B, H) and the state before -> the pooled vector so far (B, H), and the state after."""
        return self(y.unsqueeze(1), None, state)

    def graph(self, y: Value, lengths: Value, state: PoolState | None) -> tuple[Value, PoolState]:
        """The pooled vector of each row, and the state after, as operators; ``state`` holds values."""
        g, some = y.graph, (lengths > 0).unsqueeze(1)
        if state is None:
            first = self.initial(1, torch.zeros(1))
            before = g.constant(first.value).expand(y.size(0), y.size(2)), g.constant(first.steps).expand(y.size(0))
        else:
            before = cast("tuple[Value, Value]", state)
        if self.kind == "mean":
            value = before[0] + zeroed(y, lengths).sum(1)
        elif self.kind == "max":
            real = is_real(y, lengths).unsqueeze(2)
            value = g.op("Max", before[0], where(real, y, float("-inf")).max(1))
        else:
            value = y.rows(g.op("Max", lengths - 1, 0).unsqueeze(1)).squeeze(1)
            if self.bidirectional:
                ahead, _ = g.ops("Split", value, outputs=2, axis=1, num_outputs=2)
                _, back = g.ops("Split", y.part(0, 1, 1).squeeze(1), outputs=2, axis=1, num_outputs=2)
                value = concat([ahead, back], 1)
            value = where(some, value, before[0])
        steps = before[1] + lengths
        count = steps.unsqueeze(1)
        answer = value / g.op("Max", count, 1).to(np.float32) if self.kind == "mean" else where(count > 0, value, 0.0)
        return answer, PoolState(cast(Any, value), cast(Any, steps))

    def initial(self, batch: int, like: Tensor) -> PoolState:
        """The state of ``batch`` rows before their first step; ``like`` (…, H) gives width, dtype and device."""
        empty = float("-inf") if self.kind == "max" else 0.0
        value = like.new_full((batch, like.shape[-1]), empty)
        return PoolState(value, torch.zeros(batch, dtype=torch.int64, device=like.device))

    def write_step(self, program: Program, y: Vector) -> Vector:
        """Write what pools ``y`` (H,) with the steps before it, and return the pooled vector (H,)."""
        if self.kind == "last":
            return y
        pooled = program.state("pooled", y.size, float(np.finfo(np.float32).min) if self.kind == "max" else 0.0)
        merged = "maximum(before, y)" if self.kind == "max" else "before + y"
        program.each({"merged": merged}, {"before": pooled, "y": y}, {"merged": pooled}, y.size)
        if self.kind == "max":
            return pooled
        mean = program.local("mean", y.size)
        program.each({"mean": "sum / steps"}, {"sum": pooled}, {"mean": mean}, y.size)
        return mean

    def _merge(self, y: Tensor, lengths: Tensor | None, before: Tensor) -> Tensor:
        if self.kind == "mean":
            return before + zero_padding(y, lengths).sum(1)
        if self.kind == "max":
            if lengths is not None:
                y = y.masked_fill(~real_steps(lengths, y.shape[1]).unsqueeze(2), float("-inf"))
            return torch.maximum(before, y.amax(1))
        last = y[:, -1] if lengths is None else last_real(y, lengths, before)
        if not self.bidirectional:
            return last
        half = y.shape[2] // 2
        first = y[:, 0] if lengths is None else last_real(y[:, :1], lengths.clamp(max=1), before)
        return torch.cat([last[:, :half], first[:, half:]], 1)

    def _answer(self, state: PoolState) -> Tensor:
        count = state.steps.unsqueeze(1)
        if self.kind == "mean":
            return state.value / count.clamp(min=1)
        return torch.where(count > 0, state.value, state.value.new_zeros(()))
