"""Attention over the steps so far, or over whole rows.

Axes: B rows, T new steps, N remembered steps, H heads, G key heads, D head width, W width.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

NEVER = 2**40  # the place of a column that holds no step


class Seen(NamedTuple):
    """What the new steps see, for all blocks.

    Attributes:
        mask: (B, 1 or H, T, N + T): True where a step is seen, or what is added to the scores.
        positions: (B, T), the numbers of the new steps.
        turns: cos and sin (B, T, 1, ⌊D/2⌋) of rotary positions.
        place: (B, N'), the column of each step to remember.
        kept: (B, N'), True where there is one.
        after: (B,), the number of all steps.
    """

    mask: Tensor
    positions: Tensor
    turns: tuple[Tensor, Tensor] | None
    place: Tensor
    kept: Tensor
    after: Tensor


def angles_of(positions: Tensor, width: int, count: int) -> Tensor:
    """(…, count) float64: position / 10000^(2i / width)."""
    frequencies = 10_000.0 ** (torch.arange(count, dtype=torch.float64, device=positions.device) * (-2 / width))
    return positions.unsqueeze(-1) * frequencies


class Sinusoidal(nn.Module):
    """Sines and cosines of the position, times one learned number."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(1))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """``x`` with the positions added."""
        angles = angles_of(positions, x.shape[2], math.ceil(x.shape[2] / 2))
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., : x.shape[2]]
        return x + self.gain * waves.to(x.dtype)


class Learned(nn.Module):
    """A learned vector for each position."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(settings["longest"], settings["hidden"]))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """``x`` with the positions added; padding may lie beyond the last one."""
        return x + self.weight[positions.clamp(max=len(self.weight) - 1)]


ADDED: dict[str, Any] = {"sinusoidal": Sinusoidal, "learned": Learned}


class Attention(nn.Module):
    """Attention of the new steps to themselves and to the remembered ones."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width, self.heads, self.groups = settings["hidden"], settings["heads"], settings["kv_heads"]
        self.size = width // self.heads
        self.queries_keys_values = nn.Linear(width, width + 2 * self.groups * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, seen: Seen, before: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, W), and all keys and values (B, N + T, G, D)."""
        every = self.queries_keys_values(x).unflatten(2, (-1, self.size))
        q, k, v = every.split([self.heads, self.groups, self.groups], 2)
        if seen.turns is not None:
            q, k = turned(q, *seen.turns), turned(k, *seen.turns)
        if before is not None:
            k, v = torch.cat([before[0], k], 1), torch.cat([before[1], v], 1)
        wide = (part.repeat_interleave(self.heads // self.groups, 2).transpose(1, 2) for part in (k, v))
        y = scaled_dot_product_attention(q.transpose(1, 2), *wide, attn_mask=seen.mask)
        return self.out(y.transpose(1, 2).flatten(2)), k, v


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``x`` (B, T, H, D) with each pair (x_i, x_{i + ⌊D/2⌋}) rotated."""
    half = cos.shape[-1]
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


class FeedForward(nn.Module):
    """Two linear maps of each step, with a gate or with gelu between them."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        width, inner, self.gated = settings["hidden"], settings["inner"], settings["gated"]
        self.inner = nn.Linear(width, 2 * inner if self.gated else inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(…, W)."""
        if not self.gated:
            return self.out(gelu(self.inner(x)))
        gate, value = self.inner(x).chunk(2, -1)
        return self.out(silu(gate) * value)


def norm_of(settings: dict[str, Any]) -> nn.Module:
    """A normalisation of vectors of the hidden size."""
    width = settings["hidden"]
    return nn.RMSNorm(width, eps=1e-6) if settings["norm"] == "rms" else nn.LayerNorm(width)


class Block(nn.Module):
    """Attention, then a feed-forward network, each added to its input."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.own, self.feedforward, self.first = Attention(settings), FeedForward(settings), settings["norm_first"]
        self.norms = nn.ModuleList(norm_of(settings) for _ in range(2))

    def forward(self, x: Tensor, seen: Seen, before: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (B, T, W), and all keys and values."""
        one, two = self.norms
        y, k, v = self.own(one(x) if self.first else x, seen, before)
        x = x + y if self.first else one(x + y)
        x = x + self.feedforward(two(x)) if self.first else two(x + self.feedforward(x))
        return x, k, v


class Layer(nn.Module):
    """A stack of blocks. The state holds the keys and values of each row's steps so far, aligned left."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.settings, inputs, width = settings, settings["inputs"], settings["hidden"]
        self.into = nn.Identity() if inputs == width else nn.Linear(inputs, width)
        kind = settings["positions"]
        self.positions = ADDED[kind](settings) if kind in ADDED else None
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings["blocks"]))
        self.norm = norm_of(settings) if settings["norm_first"] else nn.Identity()

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """No steps yet; empty where each step sees the whole row."""
        found: dict[str, Tensor] = {}
        for k, block in enumerate(self.blocks if self.settings["causal"] else ()):
            for name in ("keys", "values"):
                found[f"layer.layers.{k}.{name}"] = torch.zeros(
                    rows, 0, block.own.groups, block.own.size, device=device
                )
            found[f"layer.layers.{k}.steps"] = torch.zeros(rows, dtype=torch.int64, device=device)
        return found

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, W), and the state after."""
        x, after = self.into(x), dict[str, Tensor]()
        seen = self._seen(x, real, state)
        x = x if self.positions is None else self.positions(x, seen.positions)
        for n, block in enumerate(self.blocks):
            at = f"layer.layers.{n}"
            before = (state[f"{at}.keys"], state[f"{at}.values"]) if self.settings["causal"] else None
            x, k, v = block(x, seen, before)
            if self.settings["causal"]:
                after |= {f"{at}.keys": remembered(k, seen), f"{at}.values": remembered(v, seen)}
                after[f"{at}.steps"] = seen.after
        return self.norm(x), after

    def _seen(self, x: Tensor, real: Tensor, state: dict[str, Tensor]) -> Seen:
        window, causal = self.settings["window"], self.settings["causal"]
        new, many = torch.arange(x.shape[1], device=x.device), real.sum(1)
        before = state["layer.layers.0.steps"] if causal else torch.zeros_like(many)
        held = state["layer.layers.0.keys"].shape[1] if causal else 0
        counts = before if window is None else before.clamp(max=window)
        old, count = torch.arange(held, device=x.device), counts.unsqueeze(1)
        places = torch.cat([torch.where(old < count, old - count, NEVER), new.expand(x.shape[0], -1)], 1)  # (B, N + T)
        distance = new.unsqueeze(1) - places.unsqueeze(1)  # (B, T, N + T)
        visible = distance >= 0 if causal else real.unsqueeze(1) | (distance == 0)
        visible = visible if window is None else visible & (distance.abs() <= window)
        mask = visible.unsqueeze(1)
        if self.settings["positions"] == "alibi":
            slopes = torch.tensor(self.settings["slopes"], device=x.device).view(-1, 1, 1)
            mask = torch.where(mask, -slopes * distance.abs().unsqueeze(1), float("-inf"))
        total = counts + many
        keep = total if window is None else total.clamp(max=window)
        # The size of an exported program's tensors may not depend on values; further columns of zeros do no harm.
        most = held + x.shape[1] if torch.compiler.is_exporting() else int(keep.max())
        number = torch.arange(most, device=x.device)
        nth, kept = number + (total - keep).unsqueeze(1), number < keep.unsqueeze(1)
        place = torch.where(nth < count, nth, nth + (held - count))
        positions = before.unsqueeze(1) + new
        turns = None
        if self.settings["positions"] == "rotary":
            size = self.settings["hidden"] // self.settings["heads"]
            angles = angles_of(positions, size, size // 2).unsqueeze(2)
            turns = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        return Seen(mask, positions, turns, torch.where(kept, place, 0), kept, before + many)


def remembered(every: Tensor, seen: Seen) -> Tensor:
    """(B, N', G, D): the keys or values to remember, aligned left, with zeros behind."""
    place = seen.place[:, :, None, None].expand(-1, -1, *every.shape[2:])
    return torch.where(seen.kept[:, :, None, None], every.gather(1, place), 0.0)
