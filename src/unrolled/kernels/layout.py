"""Helpers of every kernel call: check tensors, describe their memory layout, and allocate outputs.

Axes: B rows, T steps, N real steps of all rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels.scratch import reused

__all__ = [
    "address",
    "check",
    "flattened",
    "like",
    "made_like",
    "real_steps",
    "rows_contiguous",
    "time_major",
    "unflattened",
]


def check(owner: str, x: Tensor, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raise a `ShapeError` unless ``tensor`` has this shape, and the dtype and device of ``x``.

    The kernels only see addresses, so nothing would catch a wrong tensor later.

    Args:
        owner: the name of the operator in messages.
        x: the tensor that gives dtype and device.
        name: the name of the tensor in messages.
        tensor: the tensor to check.
        shape: the expected shape.
    """
    if tensor.shape != shape or tensor.dtype != x.dtype or tensor.device != x.device:
        raise ShapeError(
            f"{owner}: {name} is {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, expected {shape} "
            f"{x.dtype} on {x.device} for x with shape {tuple(x.shape)}"
        )


def real_steps(owner: str, x: Tensor, lengths: Tensor | None) -> int:
    """N, the number of real steps of all rows.

    Raises:
        ShapeError: ``lengths`` is not (B,) int64 for ``x`` (B, T, …), or a length is outside 0 … T.
    """
    rows, steps = x.shape[:2]
    if lengths is None:
        return rows * steps
    if lengths.shape != (rows,) or lengths.dtype != torch.int64 or lengths.device != x.device:
        raise ShapeError(f"{owner}: lengths is {tuple(lengths.shape)} {lengths.dtype}, expected ({rows},) torch.int64")
    low, high = lengths.aminmax()
    if int(low) < 0 or int(high) > steps:
        raise ShapeError(
            f"{owner}: lengths are {int(low)} … {int(high)}, expected 0 … {steps} for x with shape {tuple(x.shape)}"
        )
    return int(lengths.sum())


def address(tensor: Tensor | None) -> int | None:
    """The address of the tensor's data."""
    return None if tensor is None else tensor.data_ptr()


def rows_contiguous(tensor: Tensor) -> Tensor:
    """``tensor`` with its last axis contiguous."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def time_major(x: Tensor) -> bool:
    """Whether time is the outermost axis in memory, as in ``x.transpose(0, 1)`` of a (T, B, I)."""
    return x.shape[0] > 1 and x.stride(0) < x.stride(1)


def like(x: Tensor, width: int) -> Tensor:
    """A new (B, T, width) with the memory order of ``x``; a fake tensor for a fake ``x``."""
    rows, steps = x.shape[:2]
    return x.new_empty(steps, rows, width).transpose(0, 1) if time_major(x) else x.new_empty(rows, steps, width)


def made_like(x: Tensor, width: int) -> Tensor:
    """`like` on reused memory."""
    return reused((x.shape[0], x.shape[1], width), x.dtype, time_major(x))


def flattened(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(N, W): one line per real step of ``x`` (B, T, W), row after row; without lengths, in memory order."""
    if lengths is not None:
        return x.reshape(-1, x.shape[2]).index_select(0, _places(x, lengths))
    return (x.transpose(0, 1) if time_major(x) else x).reshape(-1, x.shape[2])


def unflattened(lines: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
    """The opposite of `flattened`: ``lines`` (N, W) of ``x`` (B, T, …) -> (B, T, W), 0 beyond each row's length."""
    (rows, steps), width = x.shape[:2], lines.shape[1]
    if lengths is not None:
        flat = lines.new_zeros(rows * steps, width).index_copy_(0, _places(x, lengths), lines).view(rows, steps, width)
        return flat.transpose(0, 1).contiguous().transpose(0, 1) if time_major(x) else flat
    return lines.view(steps, rows, width).transpose(0, 1) if time_major(x) else lines.view(rows, steps, width)


def _places(x: Tensor, lengths: Tensor) -> Tensor:
    """(N,): the index b · T + t of each real step."""
    return (torch.arange(x.shape[1]) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
