"""What both operators on the diagonal recurrence share: checks, memory, and tensors as addresses and strides.

Axes: B rows, T steps, H units, G parts that a step is made of, N real steps of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels.library import TERMS, Diagonal, Library, Series, loaded
from unrolled.kernels.memory import reused
from unrolled.kernels.passes import time_major

__all__ = ["check", "here", "like", "problem", "real_steps", "retreat", "rows_contiguous", "series"]


def here() -> Library:
    """The library, where the caller has asked whether there is one."""
    library = loaded()
    assert library is not None
    return library


def check(owner: str, x: Tensor, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Raise a `ShapeError` unless ``tensor`` has this shape, and the dtype and device of ``x``.

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
            f"{x.dtype} on {x.device}"
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
        raise ShapeError(f"{owner}: lengths are {int(low)} … {int(high)}, expected 0 … {steps}")
    return int(lengths.sum())


def rows_contiguous(tensor: Tensor) -> Tensor:
    """With its last axis contiguous."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def like(x: Tensor, width: int) -> Tensor:
    """(B, T, width) to be written, in memory as ``x`` is."""
    rows, steps = x.shape[:2]
    if time_major(x):
        return reused((steps, rows, width), x.dtype).transpose(0, 1)
    return reused((rows, steps, width), x.dtype)


def series(tensor: Tensor) -> Series:
    """A (B, T, H) as the kernels see it."""
    return Series(tensor.data_ptr(), *tensor.stride()[:2])


def problem(
    terms: str, y: Tensor, lengths: Tensor | None, h_0: Tensor, parts: Sequence[Series], reverse: bool, packed: bool
) -> Diagonal:
    """What forward and back are asked alike.

    Args:
        terms: a name of `TERMS`.
        y: (B, T, H), which forward writes and the way back reads.
        lengths: (B,) int64, contiguous.
        h_0: (B, H), contiguous.
        parts: where the G parts lie.
        reverse: from each row's end.
        packed: whether the parts hold real steps alone, row after row.
    """
    found = Diagonal(TERMS[terms], reverse, torch.get_num_threads(), packed)
    found.rows, found.steps, found.units = y.shape
    found.lengths = None if lengths is None else lengths.data_ptr()
    found.h_0, found.y = h_0.data_ptr(), series(y)
    for place, part in enumerate(parts):
        found.given[place] = part
    return found


def retreat(
    asked: Diagonal,
    d_y: Tensor | None,
    d_h_n: Tensor | None,
    d_parts: Sequence[Series],
    d_h_0: Tensor,
    d_sums: Tensor | None = None,
) -> None:
    """Go back: write what ``d_parts``, ``d_h_0`` and ``d_sums`` point to.

    Args:
        asked: the `problem`.
        d_y: (B, T, H), or ``None`` for zeros.
        d_h_n: (B, H), or ``None``.
        d_parts: where the gradients of the parts go.
        d_h_0: (B, H).
        d_sums: (G·H,), the sums of ``d_parts`` over all real steps.
    """
    d_y = None if d_y is None else rows_contiguous(d_y)
    d_h_n = None if d_h_n is None else d_h_n.contiguous()
    if d_y is not None:
        asked.d_y = series(d_y)
    asked.d_h_n = None if d_h_n is None else d_h_n.data_ptr()
    asked.d_h_0, asked.d_sums = d_h_0.data_ptr(), None if d_sums is None else d_sums.data_ptr()
    for place, part in enumerate(d_parts):
        asked.d_given[place] = part
    here().run("diagonal_backward", d_h_0.dtype, asked)
