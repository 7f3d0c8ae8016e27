"""Which of the numbers of a step are known.

Axes: C channels, W numbers of a step, with the flags of missing values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.data.encodings.facets import Flagged, Numbers
from unrolled.layers.graph import Value, concat, where
from unrolled.program.instructions import Vector
from unrolled.program.program import Program

__all__ = ["filled_graph", "flagged_graph", "known_graph", "known_values", "write_known"]


def known_values(x: Tensor, encoding: Any) -> tuple[Tensor, Tensor]:
    """(..., C) the values in ``x`` (..., W), and which of them are known, bool.

    Args:
        x: steps of a column of numbers.
        encoding: its encoding.
    """
    assert isinstance(encoding, Numbers)
    channels = len(encoding.mean)
    known = torch.ones_like(x[..., :channels], dtype=torch.bool)
    if isinstance(encoding, Flagged) and len(encoding.flagged):
        flagged = list(encoding.flagged)
        known[..., flagged] = x[..., channels : channels + len(flagged)] <= 0
    return x[..., :channels], known


def write_known(program: Program, x: Vector, before: Vector, flagged: Sequence[int]) -> Vector:
    """Write the values in ``x`` (W,), each of them that is missing as it was before; return them (C,).

    Args:
        program: where to.
        x: a step of a column of numbers.
        before: the values of the step before, (C,).
        flagged: the channels that have a flag.
    """
    values = x.part(0, before.size)
    if not flagged:
        return values
    now = program.local("now", before.size)
    program.copy(now, values)
    for place, channel in enumerate(flagged):
        known, gone = now.part(channel, 1), x.part(before.size + place, 1)
        program.each(
            {"y": "now + gone * (before - now)"},
            {"now": known, "gone": gone, "before": before.part(channel, 1)},
            {"y": known},
            1,
        )
    return now


def known_graph(x: Value, encoding: Any) -> tuple[Value, Value | None]:
    """The values (B, T, C) in ``x``, and those that are missing, bool, as operators; ``None`` if none ever is."""
    return flagged_graph(x, len(encoding.mean), encoding.flagged if isinstance(encoding, Flagged) else ())


def flagged_graph(x: Value, channels: int, flagged: Sequence[int]) -> tuple[Value, Value | None]:
    """`known_graph` for C ``channels``, of which those of ``flagged`` have a flag behind the values."""
    g, values = x.graph, x.part(0, channels, -1)
    if not flagged:
        return values, None
    flags = x.part(channels, channels + len(flagged), -1)
    never = flags.part(0, 1, -1) * 0.0
    places = [list(flagged).index(c) if c in flagged else len(flagged) for c in range(channels)]
    return values, g.op("Gather", concat([flags, never], -1), g.sizes(*places), axis=-1) > 0.0


def filled_graph(values: Value, gone: Value | None, before: Value) -> Value:
    """``values`` (B, T, C), the missing ones replaced by the one before; ``before`` (B, C) is that of the first."""
    if gone is None:
        return values

    def step(state: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
        kept = where(now[1], state[0], now[0])
        return [kept], [kept]

    return values.graph.scan([before], [values, gone], step)[1][0]
