"""Recomputation (activation checkpointing) over time: long rows run in chunks, each of them again in the backward pass.

Axes: B rows, T steps, n steps of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from unrolled.errors import UsageError
from unrolled.kernels.plain import is_transformed
from unrolled.kernels.recompute import chunks, within
from unrolled.state import State

__all__ = ["Recompute", "check_recompute", "chunk_steps", "in_chunks"]

Recompute = int | Literal["sqrt"] | None
Run = Callable[[Tensor, Tensor | None, State], tuple[Tensor, State]]


def check_recompute(recompute: Recompute) -> None:
    """Raise a `UsageError` unless it is ``None``, ``"sqrt"`` or a number of steps, at least 1."""
    number = isinstance(recompute, int) and not isinstance(recompute, bool) and recompute >= 1
    if not number and recompute is not None and recompute != "sqrt":
        raise UsageError(f"recompute must be None, 'sqrt' or an integer of at least 1, got {recompute!r}")


def chunk_steps(recompute: Recompute, steps: int) -> int | None:
    """n, or ``None`` if there is nothing to recompute: it is off, no gradients are kept, or one chunk is enough.

    >>> chunk_steps("sqrt", 10_000), chunk_steps("sqrt", 10_001), chunk_steps(64, 10_000), chunk_steps(64, 64)
    (100, 101, 64, None)
    """
    check_recompute(recompute)
    if recompute is None or not torch.is_grad_enabled():
        return None
    if is_transformed():  # torch.func refuses checkpoints
        return None
    size = math.isqrt(max(steps - 1, 0)) + 1 if recompute == "sqrt" else int(recompute)
    return size if size < steps else None


def in_chunks(
    run: Run, x: Tensor, lengths: Tensor | None, state: State, size: int, *, reverse: bool
) -> tuple[Tensor, State]:
    """Run over chunks of ``size`` steps, each through `torch.utils.checkpoint`: for cells without a kernel.

    Args:
        run: x, lengths and state of a chunk -> its y and the state after it.
        x: (B, T, …).
        lengths: (B,) or ``None``.
        state: before the first step.
        size: n.
        reverse: from the last chunk to the first.
    """
    places = chunks(x.shape[1], size, reverse)
    parts = torch.split(x, size, 1)  # its gradient is one concatenation; each slice's gradient would be as long as x
    ys = []
    for part, place in zip(parts[::-1] if reverse else parts, places, strict=True):
        y, state = checkpoint(run, part, within(lengths, place), state, use_reentrant=False)
        ys.append(y)
    return torch.cat(ys[::-1] if reverse else ys, 1), state
