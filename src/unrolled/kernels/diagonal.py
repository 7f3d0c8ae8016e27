"""Shared code of the two operators on the diagonal recurrence: it passes tensors as addresses and strides.

Axes: B rows, T steps, H units, G inputs of a step, N real steps of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.kernels.layout import rows_contiguous
from unrolled.kernels.library import TERMS, Diagonal, Library, Series, loaded

__all__ = ["here", "problem", "retreat", "series"]


def here() -> Library:
    """The loaded library; the caller has checked that there is one."""
    library = loaded()
    assert library is not None
    return library


def series(tensor: Tensor) -> Series:
    """A tensor (B, T, H) in the form that the kernels take."""
    return Series(tensor.data_ptr(), *tensor.stride()[:2])


def problem(
    terms: str, y: Tensor, lengths: Tensor | None, h_0: Tensor, parts: Sequence[Series], reverse: bool, packed: bool
) -> Diagonal:
    """The arguments that the forward and backward passes share.

    Args:
        terms: a name of `TERMS`.
        y: (B, T, H), written by the forward pass and read by the backward pass.
        lengths: (B,) int64, contiguous.
        h_0: (B, H), contiguous.
        parts: the addresses of the G inputs.
        reverse: from each row's end.
        packed: whether the inputs hold only real steps, row after row.
    """
    found = Diagonal(TERMS[terms], reverse, torch.get_num_threads(), packed)
    found.rows, found.steps, found.units = y.shape
    found.lengths = None if lengths is None else lengths.data_ptr()
    found.h_0, found.y = h_0.data_ptr(), series(y)
    for place, part in enumerate(parts):
        found.given[place] = part
    return found


def retreat(
    call: Diagonal,
    d_y: Tensor | None,
    d_h_n: Tensor | None,
    d_parts: Sequence[Series],
    d_h_0: Tensor,
    d_sums: Tensor | None = None,
) -> None:
    """Run the backward pass; it writes to ``d_parts``, ``d_h_0`` and ``d_sums``.

    Args:
        call: the `problem`.
        d_y: (B, T, H), or ``None`` for zeros.
        d_h_n: (B, H), or ``None``.
        d_parts: the addresses for the gradients of the inputs.
        d_h_0: (B, H).
        d_sums: (G·H,), the sums of ``d_parts`` over all real steps.
    """
    d_y = None if d_y is None else rows_contiguous(d_y)
    d_h_n = None if d_h_n is None else d_h_n.contiguous()
    if d_y is not None:
        call.d_y = series(d_y)
    call.d_h_n = None if d_h_n is None else d_h_n.data_ptr()
    call.d_h_0, call.d_sums = d_h_0.data_ptr(), None if d_sums is None else d_sums.data_ptr()
    for place, part in enumerate(d_parts):
        call.d_given[place] = part
    here().run("diagonal_backward", d_h_0.dtype, call)
