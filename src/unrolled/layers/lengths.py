"""Padding: rows of different lengths in one batch. Axes: B rows, T steps, W width.

Padding is replaced with `torch.where`, never multiplied by 0, since NaN · 0 is NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.errors import ShapeError, UsageError

__all__ = [
    "check_lengths",
    "check_mask",
    "gathered",
    "last_real",
    "real_steps",
    "reverse_rows",
    "scattered",
    "zero_padding",
]

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_lengths(lengths: Tensor | None, x: Tensor, owner: str, given: Tensor | None = None) -> Tensor | None:
    """Check ``lengths`` against ``x`` (B, T, …); return them as int64, or ``None`` if nothing is padded.

    Args:
        lengths: the lengths, or ``None``.
        x: what they belong to.
        owner: the name of the module in messages.
        given: ``x`` as the caller gave it, for messages, if its axes are in another order.

    Raises:
        ShapeError: not integers, not (B,), or not all in 0 … T.
    """
    if lengths is None:
        return None
    rows, steps = x.shape[:2]
    shape = tuple((x if given is None else given).shape)
    if not isinstance(lengths, Tensor) or lengths.dtype not in _INTEGERS:
        found = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise ShapeError(f"{owner}: lengths must be a tensor of integers, got {found}")
    if lengths.shape != (rows,):
        raise ShapeError(
            f"{owner}: lengths has shape {tuple(lengths.shape)}, expected ({rows},), one length for each row of "
            f"x with shape {shape}"
        )
    if lengths.device.type == "meta":
        raise ShapeError(f"{owner}: lengths is on the meta device, expected {x.device}")
    if rows == 0:
        return None
    lengths = lengths.to(x.device, torch.int64)
    if (
        torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    ):  # whose graph may not depend on the values
        return lengths
    low, high = (int(bound) for bound in lengths.aminmax())
    if low < 0 or high > steps:
        wrong = low if low < 0 else high
        row = int((lengths == wrong).nonzero()[0])
        raise ShapeError(f"{owner}: lengths[{row}] is {wrong}, expected 0 … {steps} for x with shape {shape}")
    return None if low == steps else lengths


def check_mask(mask: Tensor | None, has_lengths: bool, x: Tensor, owner: str) -> None:
    """Check ``mask`` against ``x`` (B, T, …).

    Raises:
        ShapeError: not bool, or not (B, T).
        UsageError: there are lengths too.
    """
    if mask is None:
        return
    if has_lengths:
        raise UsageError(f"{owner}: give lengths or mask, not both: a mask already says which steps are real")
    expected = tuple(x.shape[:2])
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != expected:
        found = f"{tuple(mask.shape)} {mask.dtype}" if isinstance(mask, Tensor) else type(mask).__name__
        raise ShapeError(f"{owner}: mask is {found}, expected {expected} torch.bool, True at real steps")
    if mask.device != x.device:
        raise ShapeError(f"{owner}: mask is on {mask.device}, expected {x.device}")


def gathered(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The real steps of each row of ``x`` (B, T, W) one after another, and how many there are (B,).

    >>> x, lengths = gathered(torch.tensor([[[1], [2], [3]]]), torch.tensor([[False, True, True]]))
    >>> x.flatten().tolist(), lengths.tolist()
    ([2, 3, 1], [2])
    """
    order = torch.argsort(~mask, dim=1, stable=True)
    return x.take_along_dim(order.unsqueeze(2), 1), mask.sum(1)


def scattered(y: Tensor, mask: Tensor) -> Tensor:
    """The inverse of `gathered`: each real step of ``y`` (B, T, W) back in its place, and 0 elsewhere."""
    place = (mask.cumsum(1) - 1).clamp(min=0)
    return torch.where(mask.unsqueeze(2), y.take_along_dim(place.unsqueeze(2), 1), y.new_zeros(()))


def real_steps(lengths: Tensor, steps: int) -> Tensor:
    """(B, T) bool: True at a real step.

    >>> real_steps(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def zero_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """``x`` (B, T, W) with 0 beyond each row's length."""
    if lengths is None:
        return x
    return torch.where(real_steps(lengths, x.shape[1]).unsqueeze(2), x, x.new_zeros(()))


def last_real(y: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
    """(B, W): each row's last real step of ``y`` (B, T, W), or its row of ``before`` if it has no steps."""
    rows = torch.arange(y.shape[0], device=y.device)
    last = y[rows, (lengths - 1).clamp(min=0)]
    return torch.where((lengths > 0).unsqueeze(1), last, before)


def reverse_rows(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse each row of ``x`` (B, T, W) within its own length; padding stays in place.

    >>> reverse_rows(torch.tensor([[[1], [2], [0]]]), torch.tensor([2])).flatten().tolist()
    [2, 1, 0]
    """
    if lengths is None:
        return x.flip(1)
    rows, steps, width = x.shape
    step = torch.arange(steps, device=x.device)
    turned = torch.where(real_steps(lengths, steps), lengths.unsqueeze(1) - 1 - step, step)  # (B, T)
    flat = turned + steps * torch.arange(rows, device=x.device).unsqueeze(1)
    # index_select over whole rows is twice as fast as gather, forward and backward.
    return x.reshape(rows * steps, width).index_select(0, flat.flatten()).view(rows, steps, width)
