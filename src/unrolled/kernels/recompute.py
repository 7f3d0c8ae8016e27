"""Recomputation in chunks: the forward pass keeps only the states between chunks, the backward pass runs each again.

Axes: B rows, T steps, I inputs, H hidden units, n steps per chunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unrolled.kernels import passes
from unrolled.kernels.layout import made_like, real_steps
from unrolled.kernels.operators import again
from unrolled.kernels.plain import is_wrapped

__all__ = ["Recomputed", "chunks", "within"]


def chunks(steps: int, size: int, reverse: bool) -> list[slice]:
    """Split T ``steps`` into chunks of n = ``size``, in the order in which they run.

    >>> chunks(5, 2, reverse=True)
    [slice(4, 5, None), slice(2, 4, None), slice(0, 2, None)]
    """
    found = [slice(start, min(start + size, steps)) for start in range(0, steps, size)]
    return found[::-1] if reverse else found


def within(lengths: Tensor | None, chunk: slice) -> Tensor | None:
    """The number of each row's real steps in the chunk.

    >>> within(torch.tensor([0, 3, 9]), slice(2, 4)).tolist()
    [0, 1, 2]
    """
    return None if lengths is None else (lengths - chunk.start).clamp(0, chunk.stop - chunk.start)


class Recomputed(torch.autograd.Function):
    """`passes.forward` and `passes.backward` chunk by chunk: it keeps B·H(T/n + 5n) numbers instead of 5·B·H·T.

    The outputs equal those of one pass to the bit. The gradients of the weights are sums over the chunks.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        """y, h_n, c_n (empty except for an LSTM); ``given`` are n and the fields of a `passes.Run`."""
        size, *fields = given
        run = passes.Run(*fields)
        kind, x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0, reverse = run
        real_steps(kind, x, lengths)  # the lengths within a chunk are clamped, so wrong ones would go unnoticed there
        y, h, c = made_like(x, w_hh.shape[1]), h_0, c_0
        hs, cs = [], []
        for chunk in chunks(x.shape[1], size, reverse):
            hs.append(h)
            cs.append(c)
            part = run._replace(x=x[:, chunk], lengths=within(lengths, chunk), h_0=h, c_0=c)
            _, h, c_n, _ = passes.forward(part, save=False, y=y[:, chunk])
            c = None if c_0 is None else c_n
        ctx.kind, ctx.size, ctx.reverse = kind, size, reverse
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, lengths, w_ih, w_hh, b_ih, b_hh, *hs, *cs)
        return y, h, c_n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        """The gradients of ``given``."""
        d_y, d_h, d_c = gradients
        x, lengths, w_ih, w_hh, b_ih, b_hh, *borders = ctx.saved_tensors
        hs, cs = borders[: len(borders) // 2], borders[len(borders) // 2 :]
        d_c = None if cs[0] is None else d_c
        needs = ctx.needs_input_grad
        if torch.is_grad_enabled() or is_wrapped(*gradients):
            run = passes.Run(ctx.kind, x, lengths, w_ih, w_hh, b_ih, b_hh, hs[0], cs[0], ctx.reverse)
            return None, *again(run, needs[1:], passes.Above(d_y, d_h, d_c))
        wanted = [needs[2], needs[4], needs[5], needs[6] or needs[7]]
        d_x = made_like(x, x.shape[2]) if needs[2] else None
        sums: list[Tensor] = []
        for chunk, h, c in reversed(list(zip(chunks(x.shape[1], ctx.size, ctx.reverse), hs, cs, strict=True))):
            real = within(lengths, chunk)
            run = passes.Run(ctx.kind, x[:, chunk], real, w_ih, w_hh, b_ih, b_hh, h, c, ctx.reverse)
            # y is computed again too, since the caller may have overwritten the one that was returned.
            y, _, _, saved = passes.forward(run, save=True)
            above = passes.Above(None if d_y is None else d_y[:, chunk], d_h, d_c)
            of_x, *of_weights, d_h, d_c = passes.backward(run, y, saved, above, wanted, spent=True)
            d_c = None if c is None else d_c
            if d_x is not None:
                d_x[:, chunk] = of_x
            sums = [a.add_(b) for a, b in zip(sums, of_weights, strict=True)] if sums else of_weights
        answer = (None, None, d_x, None, *sums, d_h, d_c, None)
        return tuple(gradient if need else None for gradient, need in zip(answer, needs, strict=True))
