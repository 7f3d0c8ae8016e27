"""Attention as operators of a graph: which steps see which, the heads, and what is remembered.

The same as `view`, `cache`, `positions`, `multihead` and `blocks` compute, for any number of rows and steps.

Axes: B rows, T new steps, N remembered steps, S steps of a memory, H heads, G key heads, D head width, W width.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np

from unrolled.layers.attention.blocks import FeedForward, TransformerBlock
from unrolled.layers.attention.cache import KVCache, Memory
from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
from unrolled.layers.attention.positions import BASE, Learned, Sinusoidal, slopes
from unrolled.layers.graph import Value, concat, is_real, steps_of, where, zeroed
from unrolled.layers.modules import gelu, run, silu

__all__ = ["Sight", "block_over", "positioned", "projected", "sight"]

_NEVER = 2**40  # the place of a column that holds no step
_HIDDEN = float("-inf")


class Sight(NamedTuple):
    """Which steps see which, for all blocks of a stack.

    Attributes:
        mask: (B, 1 or H, T, N + T), added to the scores.
        positions: (B, T) int64, the numbers of the new steps.
        turns: cos and sin (B, T, 1, ⌊D/2⌋) of rotary positions.
        place: (B, N'), the column of each step to remember.
        kept: (B, N', 1, 1) bool, True where there is one.
        after: (B,) int64, the number of all steps.
    """

    mask: Value
    positions: Value
    turns: tuple[Value, Value] | None
    place: Value
    kept: Value
    after: Value


def sight(own: SelfAttention, x: Value, lengths: Value, state: KVCache | None) -> Sight:
    """What the steps of ``x`` (B, T, W) see.

    Args:
        own: the attention of the first block; the others see the same.
        x: the new steps.
        lengths: (B,) int64.
        state: the keys of the first block so far, as values; ``None`` without a past.
    """
    g, window = x.graph, own.attention_window
    new = steps_of(x)  # (T,)
    zeros = lengths - lengths
    if state is None:
        before, held = zeros, g.constant(np.int64(0))
    else:
        keys, _, before = cast("tuple[Value, Value, Value]", state)
        held = keys.size(1).squeeze(0)
    counts = before if window is None else g.op("Min", before, window)
    here, many = new.unsqueeze(0) + zeros.unsqueeze(1), counts.unsqueeze(1)  # (B, T), (B, 1)
    old = g.op("Range", g.constant(np.int64(0)), held, g.constant(np.int64(1)))
    places = concat([where(old < many, old - many, _NEVER), here], 1)  # (B, N + T)
    distance = new.unsqueeze(1) - places.unsqueeze(1)  # (B, T, N + T)
    far = distance.apply("Abs")
    if own.causal:
        seen = distance >= 0
    else:
        seen = is_real(x, lengths).unsqueeze(1) | g.op("Equal", distance, 0)
    if window is not None:
        seen = seen & (far <= window)
    bias: Value | float = 0.0
    if own.positions == "alibi":
        slope = g.constant(np.array(slopes(own.heads), np.float32).reshape(-1, 1, 1))
        bias = -(slope * far.unsqueeze(1).to(np.float32))
    hidden = g.constant(np.float32(_HIDDEN))
    mask = where(seen.unsqueeze(1), bias, hidden)
    total = counts + lengths
    keep = total if window is None else g.op("Min", total, window)
    first = g.constant(np.int64(0))
    number = g.op("Range", first, g.op("ReduceMax", keep, keepdims=0), g.constant(np.int64(1)))
    nth = number + (total - keep).unsqueeze(1)  # (B, N')
    place = where(nth < many, nth, nth + (held - many))
    kept = number < keep.unsqueeze(1)
    positions = before.unsqueeze(1) + here
    turns = _turns(positions, own.head_width) if own.positions == "rotary" else None
    return Sight(mask, positions, turns, where(kept, place, 0), kept.unsqueeze(2, 3), before + lengths)


def positioned(by: Sinusoidal | Learned, x: Value, positions: Value) -> Value:
    """``x`` (B, T, W) with the encoding of each step's position added."""
    g = x.graph
    if isinstance(by, Learned):
        last = g.constant(np.int64(by.longest - 1))  # padding may lie beyond the table
        return x + g.op("Gather", g.constant(by.weight), g.op("Min", positions, last))
    angles = _angles(positions, by.width, math.ceil(by.width / 2)).unsqueeze(3)  # (B, T, ⌈W/2⌉, 1)
    waves = concat([angles.apply("Sin"), angles.apply("Cos")], 3).reshape(0, 0, -1).part(0, by.width, 2)
    return x + waves * g.constant(by.gain)


def projected(cross: CrossAttention, memory: Value, lengths: Value) -> Memory:
    """Keys and values (B, S, G, D) of a memory (B, S, M)."""
    both = run(cross.keys_values, zeroed(memory, lengths))
    half = cross.kv_heads * cross.head_width
    keys, values = (part.reshape(0, 0, cross.kv_heads, cross.head_width) for part in both.split([half, half]))
    return Memory(*cast(Any, (keys, values, lengths)))


def block_over(
    block: TransformerBlock, x: Value, seen: Sight, state: KVCache | None, memory: Memory | None
) -> tuple[Value, KVCache | None]:
    """A block over the new steps, and its keys and values after them.

    Args:
        block: the block.
        x: (B, T, W), the new steps.
        seen: what they see.
        state: its keys and values so far, as values.
        memory: the memory that it attends to, projected.
    """
    norms = iter(block.norms)

    def added(x: Value, part: Any) -> Value:
        norm = next(norms)
        return x + part(run(norm, x)) if block.norm_first else run(norm, x + part(x))

    after: list[KVCache | None] = [None]

    def own(inward: Value) -> Value:
        y, after[0] = _own(block.own, inward, seen, state)
        return y

    x = added(x, own)
    if block.cross is not None and memory is not None:
        cross, held = block.cross, memory
        x = added(x, lambda inward: _cross(cross, inward, held))
    return added(x, lambda inward: _feedforward(block.feedforward, inward)), after[0]


def _own(own: SelfAttention, x: Value, seen: Sight, state: KVCache | None) -> tuple[Value, KVCache | None]:
    heads, groups = own.heads, own.kv_heads
    every = run(own.queries_keys_values, x).reshape(0, 0, heads + 2 * groups, own.head_width)
    q, k, v = every.split([heads, groups, groups], 2)
    if seen.turns is not None:
        q, k = (_turn(part, own.head_width, *seen.turns) for part in (q, k))
    if state is not None:
        keys, values, _ = cast("tuple[Value, Value, Value]", state)
        k, v = concat([keys, k], 1), concat([values, v], 1)
    y = run(own.out, _attend(q, k, v, own, seen.mask))
    if not own.causal:
        return y, None
    kept = (where(seen.kept, part.rows(seen.place), 0.0) for part in (k, v))
    return y, KVCache(*cast(Any, (*kept, seen.after)))


def _cross(cross: CrossAttention, x: Value, memory: Memory) -> Value:
    keys, values, lengths = cast("tuple[Value, Value, Value]", memory)
    g = x.graph
    q = run(cross.queries, x).reshape(0, 0, cross.heads, cross.head_width)
    real = is_real(keys, g.op("Max", lengths, 1)).unsqueeze(1, 2)  # (B, 1, 1, S)
    mask = where(real, 0.0, g.constant(np.float32(_HIDDEN)))
    context = _attend(q, keys, values, cross, mask)
    return run(cross.out, where((lengths > 0).unsqueeze(1, 2), context, 0.0))


def _attend(q: Value, k: Value, v: Value, owner: SelfAttention | CrossAttention, mask: Value) -> Value:
    """(B, T, H D) of q (B, T, H, D), k and v (B, N, G, D)."""
    k, v = (_repeated(part, owner.heads // owner.kv_heads) for part in (k, v))
    scores = (q * owner.head_width**-0.5).transpose(0, 2, 1, 3) @ k.transpose(0, 2, 3, 1) + mask  # (B, H, T, N)
    context = scores.apply("Softmax", axis=-1) @ v.transpose(0, 2, 1, 3)  # (B, H, T, D)
    return context.transpose(0, 2, 1, 3).reshape(0, 0, -1)


def _repeated(part: Value, times: int) -> Value:
    """(B, N, G, D) with each head ``times`` times."""
    if times == 1:
        return part
    wide = part.unsqueeze(3).expand(1, 1, 1, times, 1)  # (B, N, G, times, D)
    return wide.reshape(0, 0, -1, part.size(3))


def _feedforward(feedforward: FeedForward, x: Value) -> Value:
    inner = run(feedforward.inner, x)
    if not feedforward.gated:
        return run(feedforward.out, gelu(inner))
    half = feedforward.out.in_features
    gate, value = inner.split([half, half])
    return run(feedforward.out, silu(gate) * value)


def _turns(positions: Value, width: int) -> tuple[Value, Value]:
    angles = _angles(positions, width, width // 2).unsqueeze(2)
    return angles.apply("Cos"), angles.apply("Sin")


def _turn(x: Value, width: int, cos: Value, sin: Value) -> Value:
    half = width // 2
    a, b, *rest = x.split([half, half, *([width % 2] if width % 2 else [])])
    return concat([a * cos - b * sin, a * sin + b * cos, *rest], 3)


def _angles(positions: Value, width: int, count: int) -> Value:
    """(B, T, count) float32 in [0, 2π): reduced in float64, so that late steps keep their fast angles."""
    g, turn = positions.graph, 2 * math.pi
    frequencies = g.constant(BASE ** (np.arange(count, dtype=np.float64) * (-2 / width)))
    angles = positions.unsqueeze(2).to(np.float64) * frequencies
    return (angles - (angles / turn).apply("Floor") * turn).to(np.float32)
