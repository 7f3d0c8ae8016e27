"""Cells as a user writes them: with the least that a layer needs, and with states of other forms than ours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Delayed", "Leaky"]


class Leaky(nn.Module):
    """h_t = λ ⊙ h_{t-1} + (1 - λ) ⊙ tanh(W x_t + b); its state is one tensor."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear, self.keep = nn.Linear(input_size, hidden_size), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.lerp(self.linear(x).tanh(), h, self.keep.sigmoid())
        return h, h

    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(batch, self.hidden_size)


class Delayed(nn.Module):
    """h_t = tanh(W [x_t; x_{t-1}] + U h_{t-1}); its state is a nesting: the input before, and h."""

    def __init__(self, input_size: int, hidden_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.read, self.recur = nn.Linear(2 * input_size, hidden_size), nn.Linear(hidden_size, hidden_size, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        (before,), h = state["inputs"], state["h"]
        h = torch.tanh(self.read(torch.cat([x, before], 1)) + self.recur(self.dropout(h)))
        return h, {"inputs": (x,), "h": h}

    def initial_state(self, batch: int, like: Tensor) -> Any:
        return {"inputs": (like.new_zeros(batch, self.input_size),), "h": like.new_zeros(batch, self.hidden_size)}
