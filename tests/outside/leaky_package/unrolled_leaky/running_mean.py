"""A layer that sees each step beside the mean of all steps so far.

Axes: B rows, T steps, I inputs, H outputs.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from unrolled.config import ModelConfig
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import zero_padding
from unrolled.layers.session import LayerSession, layer_session


class MeanState(NamedTuple):
    """The sum (B, I) and the number (B,) of the steps so far."""

    total: Tensor
    count: Tensor


class RunningMean(nn.Module, Layer):
    """y_t = relu(W [x_t; mean of x_1 … x_t] + b)."""

    causal, bidirectional = True, False
    regroups = True

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.linear = nn.Linear(2 * input_size, hidden_size)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        return cls(input_size, config.hidden)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: MeanState | None = None
    ) -> tuple[Tensor, MeanState]:
        x = zero_padding(x, lengths)
        state = self.initial_state(len(x), x) if state is None else state
        steps = torch.arange(1, x.shape[1] + 1, device=x.device)
        totals = state.total.unsqueeze(1) + x.cumsum(1)  # (B, T, I)
        counts = state.count.unsqueeze(1) + steps  # (B, T)
        y = self._answer(x, totals, counts)
        after = MeanState(state.total + x.sum(1), state.count + (x.shape[1] if lengths is None else lengths))
        return zero_padding(y, lengths), after

    def step(self, x: Tensor, state: MeanState) -> tuple[Tensor, MeanState]:
        state = MeanState(state.total + x, state.count + 1)
        return self._answer(x, *state), state

    def session(self, batch: int | None = None) -> LayerSession:
        return layer_session(self, batch, self.linear.weight, self.step, self.initial_state)

    def initial_state(self, batch: int, like: Tensor) -> MeanState:
        return MeanState(like.new_zeros(batch, self.input_size), like.new_zeros(batch))

    def _answer(self, x: Tensor, total: Tensor, count: Tensor) -> Tensor:
        return torch.relu(self.linear(torch.cat([x, total / count.unsqueeze(-1)], -1)))


MEMBER = RunningMean
