"""Dilated causal convolutions. Axes: B rows, T steps, I inputs, H hidden units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d


class Convolution(nn.Module):
    """y_t = Σ_{j<k} W_j x_{t-jd} + b, and the inputs that later steps read."""

    def __init__(self, inputs: int, hidden: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.past = dilation, (kernel - 1) * dilation
        self.weight = nn.Parameter(torch.empty(hidden, kernel, inputs))  # oldest step first
        self.bias = nn.Parameter(torch.empty(hidden))

    def forward(self, x: Tensor, real: Tensor, recent: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, T, H), and the last (k - 1) d inputs of each row."""
        every = torch.cat([recent, x], 1)
        y = conv1d(every.transpose(1, 2), self.weight.transpose(1, 2), self.bias, dilation=self.dilation)
        last = real.sum(1, keepdim=True) + torch.arange(self.past, device=x.device)
        return y.transpose(1, 2), every.gather(1, last.unsqueeze(2).expand(-1, -1, every.shape[2]))


class Block(nn.Module):
    """relu(x + relu(convolution(relu(convolution(x))))), with a linear map of x where the widths differ."""

    def __init__(self, inputs: int, hidden: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.outer, self.inner = (Convolution(size, hidden, kernel, dilation) for size in (inputs, hidden))
        self.beside = nn.Identity() if inputs == hidden else nn.Linear(inputs, hidden, bias=False)


class Layer(nn.Module):
    """A stack of blocks, each with twice the dilation of the one below."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        hidden, blocks = settings["hidden"], settings["blocks"]
        sizes = [settings["inputs"]] + [hidden] * (blocks - 1)
        self.blocks = nn.ModuleList(Block(size, hidden, settings["kernel"], 2**k) for k, size in enumerate(sizes))

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """No steps yet."""
        return {
            f"layer.{k}.{name}": torch.zeros(rows, part.past, part.weight.shape[2], device=device)
            for k, block in enumerate(self.blocks)
            for name, part in (("outer", block.outer), ("inner", block.inner))
        }

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, H), and the state after."""
        after: dict[str, Tensor] = {}
        for k, block in enumerate(self.blocks):
            outer, inner = f"layer.{k}.outer", f"layer.{k}.inner"
            y, after[outer] = block.outer(x, real, state[outer])
            y, after[inner] = block.inner(torch.relu(y), real, state[inner])
            x = torch.relu(block.beside(x) + torch.relu(y))
        return x, after
