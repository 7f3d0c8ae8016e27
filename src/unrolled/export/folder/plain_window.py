"""A map of the last k steps. Axes: B rows, T steps, I inputs, H hidden units."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d


class Layer(nn.Module):
    """y_t = relu(Σ_{j<k} W_j x_{t-j} + b_j), summed over the steps that exist; then linear maps with relu.

    The state holds the last k - 1 inputs, oldest first, each followed by a 1; the last input of ``weight`` is b.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.past, inputs, sizes = settings["window"] - 1, settings["inputs"], settings["sizes"]
        self.weight = nn.Parameter(torch.empty(sizes[0], inputs + 1, settings["window"]))  # newest step first
        self.deeper = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """No steps yet."""
        return {"layer.recent": torch.zeros(rows, self.past, self.weight.shape[1], device=device)}

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, H), and the state after."""
        new = torch.cat([x, torch.ones_like(x[:, :, :1])], 2)
        every = torch.cat([state["layer.recent"], new], 1)  # (B, k - 1 + T, I + 1)
        y = torch.relu(conv1d(every.transpose(1, 2), self.weight.flip(2))).transpose(1, 2)
        for layer in self.deeper:
            y = torch.relu(layer(y))
        last = real.sum(1, keepdim=True) + torch.arange(self.past, device=x.device)  # (B, k - 1)
        return y, {"layer.recent": every.gather(1, last.unsqueeze(2).expand(-1, -1, every.shape[2]))}
