"""A layer that sees each step beside the mean of all steps so far.

Axes: B rows, T steps, I inputs, H outputs.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from unrolled.config import Part, option
from unrolled.layers.config import ModelConfig
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import zero_padding
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session


class MeanState(NamedTuple):
    """The sum (B, I) of the steps so far, and of their weights (B,)."""

    total: Tensor
    count: Tensor


class RunningMean(nn.Module, Layer):
    """y_t = relu(W [x_t; m_t] + b), where m_t is the mean of x_1 … x_t, of which the latest may count for more.

    m_t = Σ_s d^(t-s) x_s / Σ_s d^(t-s), with d = 1 - decay.
    """

    class Options(Part):
        decay: float = option(
            0.0, "Share of its weight that a step loses in the running mean with each later one.", ge=0, lt=1
        )

    causal, bidirectional = True, False

    def __init__(self, input_size: int, hidden_size: int, decay: float) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.linear, self.kept = nn.Linear(2 * input_size, hidden_size), 1 - decay

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        return cls(input_size, config.hidden, config.of("layer", config.name).decay)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: MeanState | None = None
    ) -> tuple[Tensor, MeanState]:
        x = zero_padding(x, lengths)
        state = self.initial_state(len(x), x) if state is None else state
        ends = torch.full((len(x),), x.shape[1], device=x.device) if lengths is None else lengths
        totals, counts = [state.total], [state.count]
        for x_t in x.unbind(1):
            totals.append(self.kept * totals[-1] + x_t)
            counts.append(self.kept * counts[-1] + 1)
        total, count = torch.stack(totals, 1), torch.stack(counts, 1)  # (B, T + 1, I) and (B, T + 1)
        rows = torch.arange(len(x), device=x.device)
        y = self._answer(x, total[:, 1:], count[:, 1:])
        return zero_padding(y, lengths), MeanState(total[rows, ends], count[rows, ends])

    def step(self, x: Tensor, state: MeanState) -> tuple[Tensor, MeanState]:
        state = MeanState(self.kept * state.total + x, self.kept * state.count + 1)
        return self._answer(x, *state), state

    def session(self, batch: int | None = None) -> LayerSession:
        return layer_session(self, batch, self.linear.weight, self.step, self.initial_state)

    def initial_state(self, batch: int, like: Tensor) -> MeanState:
        return MeanState(like.new_zeros(batch, self.input_size), like.new_zeros(batch))

    def _answer(self, x: Tensor, total: Tensor, count: Tensor) -> Tensor:
        return torch.relu(self.linear(torch.cat([x, total / count.unsqueeze(-1)], -1)))


MEMBER = RunningMean
