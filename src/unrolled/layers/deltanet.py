"""Gated DeltaNet: a stack of blocks whose memory is a matrix, updated by the gated delta rule.

Axes: B rows, T steps, I inputs, H hidden units, N heads of H/N units, k = `SIGHT` steps in the convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu
from torch.utils.checkpoint import checkpoint

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError, named
from unrolled.layers.attention.delta_rule import CHUNK, delta_rule, delta_rule_over
from unrolled.layers.config import ModelConfig
from unrolled.layers.graph import Value, is_real, where, zeroed
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, real_steps, zero_padding
from unrolled.layers.modules import run
from unrolled.layers.modules import silu as silu_of
from unrolled.layers.plain_torch import Plain
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session
from unrolled.layers.short_convolution import convolved, short_convolution
from unrolled.state import leaves, planted
from unrolled.watch import watched

__all__ = ["DeltaNet", "DeltaState"]

SIGHT = 4
SOFT = 1e-2  # epsilon of the norm of a memory's outputs, so that outputs near 0 are not scaled up to length 1
_SHORTEST, _LONGEST = 16, 8192  # steps over which heads remember at first
_SMALLEST_HEAD = 32  # units
# Rows × steps × units × blocks that run together: larger pieces leave the processor's caches and take a quarter longer.
_TOGETHER = 2**19
# The most that are kept for the backward pass, at about 200 bytes each; beyond it, pieces are recomputed, which takes a
# third longer.
_KEPT = 2**24


class DeltaState(NamedTuple):
    """The state of a block: ``memory`` (B, N, H/N, H/N), ``recent`` (B, k-1, 3H), the convolution's last inputs."""

    memory: Tensor
    recent: Tensor


class DeltaNet(nn.Module, Layer):
    r"""A stack of blocks with a matrix memory: each step writes a value under a key and reads with a query.

    ::

        y⁰ = W_x x                              only where I ≠ H; otherwise y⁰ = x
        z_t = yᵏ⁻¹_t + mix(norm(yᵏ⁻¹)_t)        yᵏ_t = z_t + W_3 (silu(W_1 norm(z_t)) ⊙ W_2 norm(z_t))
        y = norm(yᴷ)

        mix, for each head:
        q̃, k̃, v = silu(conv(W_q x)), silu(conv(W_k x)), silu(conv(W_v x))     q = q̃ / ‖q̃‖, k = k̃ / ‖k̃‖
        a_t = σ(w_a x_t + c_a)    b_t = σ(w_b x_t + c_b)                      one number of each
        S_t = a_t S_{t-1} (I - b_t k_t k_tᵀ) + b_t v_t k_tᵀ                   `delta_rule`
        y_t = W_o (norm(S_t q_t) ⊙ silu(W_g x_t))

    The convolution spans k = 4 steps of each unit. c_a starts so that heads remember over 16 to 8192 steps.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        heads: N ≥ 1, a divisor of H; ``None``: as many heads as possible of at least 32 units each.
        num_layers: K ≥ 1 blocks.
        dropout: dropout rate of the output of each half of a block, 0 ≤ p < 1.

    Shape:
        x (B, T, I) -> y (B, T, H), 0 beyond each row's length; lengths (B,) integers, 0 … T. The state is a tuple with
        a `DeltaState` per block.

    Raises:
        UsageError: a number out of range, or heads that do not divide the hidden units.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        per block, row and step 11H² multiply-adds, and 3H²/N for the memory; about H²/N + 9H numbers of state, however
        many steps have run. Whole rows run in chunks (`delta_rule`), linear in T.

    References:
        Yang, Kautz and Hatamizadeh 2024, Gated delta networks, https://arxiv.org/abs/2412.06464

    Example:
        >>> layer = DeltaNet(3, 8, heads=2)
        >>> x = torch.randn(2, 5, 3)
        >>> whole, _ = layer(x)
        >>> first, state = layer(x[:, :4])
        >>> fifth, state = layer.step(x[:, 4], state)
        >>> torch.allclose(whole[:, 4], fifth, atol=1e-5)
        True
    """

    causal, bidirectional = True, False
    regroups = True

    class Options(Part):
        """The options of the delta rule's layer."""

        heads: int | None = option(
            None,
            "Attention heads, a divisor of the hidden size. Default: heads of at least 32 units.",
            ge=1,
            le=65_536,
            also=("num_heads", "n_heads", "nhead", "n_head", "num_attention_heads"),
        )

    def __init__(
        self, input_size: int, hidden_size: int, heads: int | None = None, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise UsageError(f"{name} must be at least 1, got {size}")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout}")
        if heads is None:
            heads = next(n for n in range(max(1, hidden_size // _SMALLEST_HEAD), 0, -1) if hidden_size % n == 0)
        if heads < 1 or hidden_size % heads:
            raise UsageError(f"{named('heads')} must be a divisor of the hidden size {hidden_size}, got {heads}")
        self.input_size, self.output_size, self.heads = input_size, hidden_size, heads
        self.inward = nn.Identity() if input_size == hidden_size else nn.Linear(input_size, hidden_size)
        blocks = nn.ModuleList(_Block(hidden_size, heads, dropout) for _ in range(num_layers))
        self.blocks: Sequence[_Block] = cast(Any, blocks)
        self.boxes = ("deltanet",) * num_layers
        self.norm = _norm(hidden_size)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        """The layer that ``config`` describes."""
        return cls(input_size, config.hidden, config.of("layer", "deltanet").heads, config.layers, config.dropout)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: Sequence[DeltaState] | None = None
    ) -> tuple[Tensor, tuple[DeltaState, ...]]:
        """Run over whole rows, or over the next chunk of each, starting from ``state``."""
        check_input(x, "(B, T, I)", self.input_size, self.norm.weight, "DeltaNet")
        lengths = check_lengths(lengths, x, "DeltaNet")
        first = self.initial_state(len(x), self.norm.weight)
        state = first if state is None else self._checked(state, first)
        units = len(x) * self.output_size * len(self.blocks)
        size = max(1, _TOGETHER // (units * CHUNK)) * CHUNK if units else CHUNK
        if x.shape[1] <= size or watched():  # a watcher sees each step once, and in order
            return self._run(x, lengths, state)
        again = torch.is_grad_enabled() and units * x.shape[1] > _KEPT
        run = partial(checkpoint, self._run, use_reentrant=False) if again else self._run
        ys = []
        for n, part in enumerate(torch.split(x, size, 1)):
            here = None if lengths is None else (lengths - n * size).clamp(0, part.shape[1])
            y, state = run(part, here, state)
            ys.append(y)
        return torch.cat(ys, 1), tuple(state)

    def step(self, x: Tensor, state: Sequence[DeltaState]) -> tuple[Tensor, tuple[DeltaState, ...]]:
        """One step: ``x`` (B, I) and the state before -> ``y`` (B, H) and the state after."""
        check_input(x, "(B, I)", self.input_size, self.norm.weight, "DeltaNet")
        y, after = self(x.unsqueeze(1), None, state)
        return y.squeeze(1), after

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "input_size": self.input_size,
            "hidden_size": self.output_size,
            "heads": self.heads,
            "num_layers": len(self.blocks),
            "dropout": self.blocks[0].dropout.p,
        }
        return arguments(self, values)

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows; it keeps the state."""
        return layer_session(self, batch, self.norm.weight, self.step, self.initial_state)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        if state is None:
            first = self.initial_state(1, torch.zeros(()))
            state = planted(first, (x.graph.constant(p).expand(x.size(0), *p.shape[1:]) for p in leaves(first, first)))
        x, after = run(self.inward, x), []
        for block, before in zip(self.blocks, state, strict=True):
            x, last = block.graph(x, lengths, before)
            after.append(last)
        return zeroed(run(self.norm, x), lengths), tuple(after)

    def plain(self) -> Plain:
        """See `Layer`."""
        settings = {"inputs": self.input_size, "hidden": self.output_size, "heads": self.heads, "sight": SIGHT}
        return Plain("deltanet", {**settings, "blocks": len(self.blocks), "soft": SOFT}, self.state_dict())

    def initial_state(self, batch: int, like: Tensor) -> tuple[DeltaState, ...]:
        """An empty memory, with the dtype and device of ``like``."""
        width = self.output_size // self.heads
        memory, recent = (batch, self.heads, width, width), (batch, SIGHT - 1, 3 * self.output_size)
        return tuple(DeltaState(like.new_zeros(memory), like.new_zeros(recent)) for _ in self.blocks)

    def _run(
        self, x: Tensor, lengths: Tensor | None, state: Sequence[DeltaState]
    ) -> tuple[Tensor, tuple[DeltaState, ...]]:
        x, after = self.inward(zero_padding(x, lengths)).to(self.norm.weight.dtype), []
        for block, before in zip(self.blocks, state, strict=True):
            x, last = block(x, lengths, before)
            after.append(last)
        return zero_padding(self.norm(x), lengths), tuple(after)

    def _checked(self, state: Sequence[DeltaState], first: Sequence[DeltaState]) -> Sequence[DeltaState]:
        if len(state) != len(first):
            raise ShapeError(f"DeltaNet: state has {len(state)} blocks, expected {len(first)}")
        for block, expected in zip(state, first, strict=True):
            for name, part, like in zip(DeltaState._fields, block, expected, strict=True):
                if part.shape != like.shape:
                    raise ShapeError(
                        f"DeltaNet: state.{name} has shape {tuple(part.shape)}, expected {tuple(like.shape)}"
                    )
        return state


class _Block(nn.Module):
    """A block with two residual parts: a mix over time, then a gated feed-forward map of each step."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before_mix, self.mix = _norm(width), _Mix(width, heads)
        self.before_map, self.map_in, self.map_out = (
            _norm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(2 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def extra_repr(self) -> str:
        return f"{self.map_out.out_features}, heads={self.mix.heads}"

    def forward(self, x: Tensor, lengths: Tensor | None, state: DeltaState) -> tuple[Tensor, DeltaState]:
        mixed, state = self.mix(self.before_mix(x), lengths, state)
        x = x + self.dropout(mixed)
        gate, value = self.map_in(self.before_map(x)).chunk(2, -1)
        return x + self.dropout(self.map_out(silu(gate) * value)), state

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        mixed, state = self.mix.graph(run(self.before_mix, x), lengths, state)
        x = x + mixed
        gate, value = run(self.map_in, run(self.before_map, x)).split([self.map_out.in_features] * 2)
        return x + run(self.map_out, silu_of(gate) * value), state


class _Mix(nn.Module):
    """The part of a block that mixes over time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.parts = heads, [3 * width, width, heads, heads]
        self.inward = nn.Linear(width, sum(self.parts))  # q, k, v; g; a; b
        self.convolution = nn.Parameter(torch.empty(SIGHT, 3 * width).uniform_(-0.5, 0.5))
        self.norm, self.outward = nn.RMSNorm(width // heads, eps=SOFT), nn.Linear(width, width, bias=False)
        with torch.no_grad():
            self.inward.bias[-2 * heads : -heads] = _first_memory(heads)
            self.inward.bias[-heads:] = 0

    def extra_repr(self) -> str:
        return f"{self.inward.in_features}, heads={self.heads}"

    def forward(self, x: Tensor, lengths: Tensor | None, state: DeltaState) -> tuple[Tensor, DeltaState]:
        qkv, gate, a, b = self.inward(x).split(self.parts, -1)
        qkv, recent = short_convolution(qkv, self.convolution, state.recent, lengths)
        q, k, v = (
            part.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads) for part in silu(qkv).chunk(3, -1)
        )  # (B, T, N, H/N)
        log_a, b = logsigmoid(a.to(q.dtype)), torch.sigmoid(b.to(q.dtype))  # (B, T, N)
        if lengths is not None:  # padding neither forgets nor writes
            real, nothing = real_steps(lengths, x.shape[1]).unsqueeze(2), b.new_zeros(())
            log_a, b = torch.where(real, log_a, nothing), torch.where(real, b, nothing)
        y, memory = delta_rule(_unit(q), _unit(k), v, log_a, b, state.memory, owner=self)
        y = self.norm(y).flatten(2) * silu(gate)
        return self.outward(y), DeltaState(memory, recent)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        width = self.outward.in_features
        qkv, gate, a, b = run(self.inward, x).split(self.parts)
        qkv, recent = convolved(qkv, self.convolution, state.recent, lengths)
        heads = (part.reshape(0, 0, self.heads, width // self.heads) for part in silu_of(qkv).split([width] * 3))
        q, k, v = heads
        units = [part / ((part * part).sum(-1, keep=True) + 1e-6).apply("Sqrt") for part in (q, k)]
        real = is_real(x, lengths).unsqueeze(2)  # padding neither forgets nor writes
        decay, write = where(real, a.apply("Sigmoid"), 1.0), where(real, b.apply("Sigmoid"), 0.0)
        y, memory = delta_rule_over([*units, v, decay, write], state.memory)
        y = run(self.norm, y).reshape(0, 0, width) * silu_of(gate)
        return run(self.outward, y), DeltaState(*cast(Any, (memory, recent)))


def _norm(width: int) -> nn.RMSNorm:
    return nn.RMSNorm(width, eps=1e-5)


def _unit(vectors: Tensor) -> Tensor:
    """``vectors`` scaled to length 1; those near 0 stay small, so that the gradient is finite."""
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + 1e-6)


def _first_memory(heads: int) -> Tensor:
    """(N,): biases for which the heads keep 1/e of their memory after 16 … 8192 steps."""
    steps = torch.linspace(math.log(_SHORTEST), math.log(_LONGEST), heads + 2)[1:-1].exp()
    return (steps - 1).log()


MEMBER = DeltaNet
