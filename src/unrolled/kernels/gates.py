"""Gates and states of every step at the speed of the kernels, from what they keep for the backward pass.

Axes: B rows, T steps, I inputs, H hidden units, P = H rounded up to a whole vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.kernels import passes
from unrolled.kernels.fused import fits, unwatched
from unrolled.kernels.layout import made_like, rows_contiguous, unflattened
from unrolled.kernels.library import SUFFIXES

__all__ = ["KEPT", "gates", "keeps"]

# What the lines of `passes.SAVED` are; the GRU's fourth, a product, is no gate.
KEPT: dict[str, tuple[str, ...]] = {
    "rnn_tanh": (),
    "rnn_relu": (),
    "gru": ("r", "z", "n"),
    "lstm": ("i", "f", "g", "o", "c"),
}
# Steps of all rows that run at once. What the kernels keep of so few is still in the cache when it is copied, and
# packing the weights once more costs less than 1 % of them.
_TOGETHER = 4096


def keeps(kind: str | None, x: Tensor, weights: list[Tensor]) -> bool:
    """Whether `gates` can run this: ``kind`` has a kernel that keeps them, and takes ``x`` as it is.

    Args:
        kind, x, weights: as for `fused.fits`.
    """
    return kind in KEPT and x.dtype in SUFFIXES and unwatched(x) and fits(kind, x, weights)


def gates(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    weights: list[Tensor],
    state: tuple[Tensor, ...],
    reverse: bool,
    names: Sequence[str],
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """`fused.recurrence` without gradients, and the values of ``names``, each (B, T, H), 0 at padding.

    Args:
        kind, x, lengths, weights, state, reverse: as for `fused.recurrence`; `keeps` says whether they fit.
        names: those of ``KEPT[kind]`` that are wanted.

    Cost: that of `fused.recurrence`, and H numbers for each step and name.
    """
    x, (rows, steps, _) = rows_contiguous(x.detach()), x.shape
    units = weights[1].shape[1]
    y = made_like(x, units)
    found = {name: torch.empty_like(y) for name in names}
    size = max(1, _TOGETHER // rows)
    starts = range(0, steps, size)
    with torch.no_grad():
        for start in reversed(starts) if reverse else starts:
            here = slice(start, start + size)
            part, count = x[:, here], None if lengths is None else (lengths - start).clamp(0, size)
            count = None if count is None else count.clamp(max=part.shape[1])
            b_ih, b_hh = weights[2:] or (None, None)
            c_0 = state[1] if kind == "lstm" else None
            run = passes.Run(kind, part, count, weights[0], weights[1], b_ih, b_hh, state[0], c_0, reverse)
            _, *after, saved = passes.forward(run, save=bool(names), y=y[:, here])
            state = tuple(after) if kind == "lstm" else (after[0],)
            if names:
                lines = unflattened(saved, part, count).view(rows, part.shape[1], passes.SAVED[kind], -1)
                for name, value in found.items():
                    value[:, here] = lines[:, :, KEPT[kind].index(name), :units]
    return y, state, found
