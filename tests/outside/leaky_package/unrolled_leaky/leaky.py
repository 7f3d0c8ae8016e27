"""A leaky unit: a state that forgets a learned share at each step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Leaky(nn.Module):
    """h_t = λ ⊙ h_{t-1} + (1 - λ) ⊙ tanh(W x_t + b), with λ = σ(keep)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear, self.keep = nn.Linear(input_size, hidden_size), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.lerp(self.linear(x).tanh(), h, self.keep.sigmoid())
        return h, h

    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(batch, self.hidden_size)


MEMBER = Leaky
