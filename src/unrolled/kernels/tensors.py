"""What every call of the kernels asks of tensors: that they fit, how they lie, and memory for the answer.

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

    What is behind a wrong address nobody would notice.

    Args:
        owner: what to call the reader.
        x: the tensor that the others follow.
        name: of the tensor.
        tensor: what was given.
        shape: what it must have.
    """
    if tensor.shape != shape or tensor.dtype != x.dtype or tensor.device != x.device:
        raise ShapeError(
            f"{owner}: {name} is {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, expected {shape} "
            f"{x.dtype} on {x.device} for x with shape {tuple(x.shape)}"
        )


def real_steps(owner: str, x: Tensor, lengths: Tensor | None) -> int:
    """N.

    Raises:
        ShapeError: ``lengths`` is not (B,) int64 beside ``x`` (B, T, …), or one is beyond 0 … T.
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
    """Where it lies."""
    return None if tensor is None else tensor.data_ptr()


def rows_contiguous(tensor: Tensor) -> Tensor:
    """With its last axis contiguous."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def time_major(x: Tensor) -> bool:
    """Whether the batch lies inside time, as in ``x.transpose(0, 1)`` of a (T, B, I)."""
    return x.shape[0] > 1 and x.stride(0) < x.stride(1)


def like(x: Tensor, width: int) -> Tensor:
    """(B, T, width), in memory as ``x`` is; of a fake ``x`` a fake."""
    rows, steps = x.shape[:2]
    return x.new_empty(steps, rows, width).transpose(0, 1) if time_major(x) else x.new_empty(rows, steps, width)


def made_like(x: Tensor, width: int) -> Tensor:
    """`like`, to be written to, on memory that an earlier one may have left."""
    rows, steps = x.shape[:2]
    if time_major(x):
        return reused((steps, rows, width), x.dtype).transpose(0, 1)
    return reused((rows, steps, width), x.dtype)


def flattened(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(N, W): a line for each real step of ``x`` (B, T, W): row after row; without lengths in the order of memory."""
    if lengths is not None:
        return x.reshape(-1, x.shape[2]).index_select(0, _places(x, lengths))
    return (x.transpose(0, 1) if time_major(x) else x).reshape(-1, x.shape[2])


def unflattened(lines: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
    """The opposite of `flattened`: ``lines`` (N, W) of ``x`` -> (B, T, W), 0 beyond each row's length."""
    rows, steps, width = x.shape
    if lengths is not None:
        flat = lines.new_zeros(rows * steps, width).index_copy_(0, _places(x, lengths), lines).view(rows, steps, width)
        return flat.transpose(0, 1).contiguous().transpose(0, 1) if time_major(x) else flat
    return lines.view(steps, rows, width).transpose(0, 1) if time_major(x) else lines.view(rows, steps, width)


def _places(x: Tensor, lengths: Tensor) -> Tensor:
    """(N,): b · T + t of each real step."""
    return (torch.arange(x.shape[1]) < lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)
