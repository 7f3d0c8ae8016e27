"""A matrix memory that is written with the gated delta rule.

Axes: B rows, T steps, W width, N heads, K units of a head, k steps in the convolution.
"""

from __future__ import annotations

from typing import Any

import torch
from plain_steps import over_steps
from torch import Tensor, nn
from torch.nn.functional import silu


class Mix(nn.Module):
    """S_t = a_t S_{t-1} (I - b_t k_t k_tᵀ) + b_t v_t k_tᵀ, read with q_t, for each head."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width, self.heads = settings["hidden"], settings["heads"]
        self.parts = [3 * width, width, self.heads, self.heads]
        self.inward = nn.Linear(width, sum(self.parts))  # q, k, v; gate; a; b
        self.convolution = nn.Parameter(torch.empty(settings["sight"], 3 * width))  # newest step last
        self.norm = nn.RMSNorm(width // self.heads, eps=settings["soft"])
        self.outward = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, real: Tensor, memory: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, W), the memory after, and the convolution's last inputs."""
        qkv, gate, a, b = self.inward(x).split(self.parts, -1)
        every, steps, size = torch.cat([recent, qkv], 1), x.shape[1], len(self.convolution)
        mixed = sum(self.convolution[j] * every[:, j : j + steps] for j in range(size))
        last = real.sum(1, keepdim=True) + torch.arange(size - 1, device=x.device)
        recent = every.gather(1, last.unsqueeze(2).expand(-1, -1, every.shape[2]))
        q, k, v = (part.unflatten(2, (self.heads, -1)) for part in silu(mixed).chunk(3, -1))
        q, k = (part * torch.rsqrt(part.square().sum(-1, keepdim=True) + 1e-6) for part in (q, k))
        here = real.unsqueeze(2)  # padding neither forgets nor writes
        a, b = torch.where(here, torch.sigmoid(a), 1.0), torch.where(here, torch.sigmoid(b), 0.0)
        (memory,), y = over_steps(delta_rule, (memory,), (q, k, v, a, b))
        return self.outward(self.norm(y).flatten(2) * silu(gate)), memory, recent


def delta_rule(before: tuple[Tensor, ...], now: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Tensor]:
    """A step: the memory before (B, N, K, K), and q, k, v (B, N, K), a and b (B, N)."""
    q, k, v, a, b = now
    kept = before[0] * a[..., None, None]
    new = (v - (kept @ k.unsqueeze(-1)).squeeze(-1)) * b.unsqueeze(-1)
    memory = kept + new.unsqueeze(-1) * k.unsqueeze(-2)
    return (memory,), (memory @ q.unsqueeze(-1)).squeeze(-1)


class Block(nn.Module):
    """The mix over time, then a gated map of each step, each added to its input."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width = settings["hidden"]
        self.before_mix, self.before_map = (nn.RMSNorm(width, eps=1e-5) for _ in range(2))
        self.mix, self.map_in, self.map_out = Mix(settings), nn.Linear(width, 4 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, real: Tensor, memory: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, W), and the state after."""
        mixed, memory, recent = self.mix(self.before_mix(x), real, memory, recent)
        x = x + mixed
        gate, value = self.map_in(self.before_map(x)).chunk(2, -1)
        return x + self.map_out(silu(gate) * value), memory, recent


class Layer(nn.Module):
    """A stack of blocks; the state is a matrix for each head, and the last inputs of the convolution."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        inputs, width = settings["inputs"], settings["hidden"]
        self.inward = nn.Identity() if inputs == width else nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings["blocks"]))
        self.norm = nn.RMSNorm(width, eps=1e-5)

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """Zeros."""
        found: dict[str, Tensor] = {}
        for k, block in enumerate(self.blocks):
            size = block.mix.outward.in_features // block.mix.heads
            found[f"layer.{k}.memory"] = torch.zeros(rows, block.mix.heads, size, size, device=device)
            found[f"layer.{k}.recent"] = torch.zeros(
                rows, len(block.mix.convolution) - 1, block.mix.convolution.shape[1], device=device
            )
        return found

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, W), and the state after."""
        x, after = self.inward(x), dict[str, Tensor]()
        for k, block in enumerate(self.blocks):
            names = f"layer.{k}.memory", f"layer.{k}.recent"
            x, *last = block(x, real, *(state[name] for name in names))
            after |= dict(zip(names, last, strict=True))
        return self.norm(x), after
