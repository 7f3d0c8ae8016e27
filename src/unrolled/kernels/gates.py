"""Gates and states of every step at the speed of the kernels, from what they keep for the backward pass.

Axes: B rows, T steps, I inputs, H hidden units, P = H rounded up to a whole vector.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.kernels import passes
from unrolled.kernels.fused import fits, unwatched
from unrolled.kernels.layout import rows_contiguous, unflattened
from unrolled.kernels.library import SUFFIXES

__all__ = ["gates", "keeps"]

# What the lines of `passes.SAVED` are; the GRU's fourth, a product, is no gate.
_NAMES = {"rnn_tanh": (), "rnn_relu": (), "gru": ("r", "z", "n"), "lstm": ("i", "f", "g", "o", "c")}


def keeps(kind: str | None, x: Tensor, weights: list[Tensor]) -> bool:
    """Whether `gates` can run this: ``kind`` has a kernel that keeps them, and takes ``x`` as it is.

    Args:
        kind, x, weights: as for `fused.fits`.
    """
    return kind in _NAMES and x.dtype in SUFFIXES and unwatched(x) and fits(kind, x, weights)


def gates(
    kind: str, x: Tensor, lengths: Tensor | None, weights: list[Tensor], state: tuple[Tensor, ...], reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """`fused.recurrence` without gradients, and each gate and state by its name, (B, T, H), 0 at padding.

    Args:
        kind, x, lengths, weights, state, reverse: as for `fused.recurrence`; `keeps` says whether they fit.
    """
    b_ih, b_hh = weights[2:] or (None, None)
    c_0 = state[1] if kind == "lstm" else None
    x = rows_contiguous(x.detach())
    run = passes.Run(kind, x, lengths, weights[0], weights[1], b_ih, b_hh, state[0], c_0, reverse)
    with torch.no_grad():
        y, h_n, c_n, saved = passes.forward(run, save=True)
        found: dict[str, Tensor] = {}
        if names := _NAMES[kind]:
            parts = unflattened(saved, x, lengths).view(*x.shape[:2], passes.SAVED[kind], -1)  # (B, T, parts, P)
            found |= {name: parts[:, :, n, : y.shape[2]] for n, name in enumerate(names)}
    return y, (h_n, c_n) if kind == "lstm" else (h_n,), found | {"h": y}
