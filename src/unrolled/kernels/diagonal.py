"""What both operators on the diagonal recurrence share: tensors as addresses and strides.

Axes: B rows, T steps, H units, G parts that a step is made of, N real steps of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.kernels.library import TERMS, Diagonal, Library, Series, loaded
from unrolled.kernels.tensors import rows_contiguous

__all__ = ["here", "problem", "retreat", "series"]


def here() -> Library:
    """The library, where the caller has asked whether there is one."""
    library = loaded()
    assert library is not None
    return library


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
