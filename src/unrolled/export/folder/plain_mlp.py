"""Linear maps with relu, of each step by itself. Axes: B rows, T steps, I inputs, H hidden units."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    """yᵏ = relu(Wᵏ yᵏ⁻¹ + bᵏ); there is no state."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(settings["sizes"]))

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """Empty."""
        return {}

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, H), and the empty state."""
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x, {}
