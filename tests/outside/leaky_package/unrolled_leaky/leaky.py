"""A leaky unit: a state that forgets a learned share at each step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.config import Part, option


class Leaky(nn.Module):
    """h_t = λ ⊙ h_{t-1} + (1 - λ) ⊙ tanh(W x_t + b), with λ = σ(keep), which begins at 1 - leak."""

    class Options(Part):
        leak: float = option(
            0.5, "Share of its state that a leaky unit begins to forget at each step.", gt=0, lt=1, also=("leakage",)
        )

    def __init__(self, input_size: int, hidden_size: int, options: Options) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size, hidden_size)
        self.keep = nn.Parameter(torch.full((hidden_size,), 1 - options.leak).logit())

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.lerp(self.linear(x).tanh(), h, self.keep.sigmoid())
        return h, h

    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(batch, self.hidden_size)


MEMBER = Leaky
