"""The scan h_t = a_t ⊙ h_{t-1} + b_t as a torch operator with a gradient. Axes: B rows, T steps, H units."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from unrolled.kernels.diagonal import here, problem, retreat, series
from unrolled.kernels.fused import unwatched
from unrolled.kernels.layout import check, like, made_like, real_steps, rows_contiguous
from unrolled.kernels.plain import differentiate, is_wrapped, plain_scan

__all__ = ["scan", "scan_operator"]


def scan(a: Tensor, b: Tensor, lengths: Tensor | None, h_0: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    """Compute all states of an elementwise linear recurrence, and each row's last one.

    ::

        h_t = a_t ⊙ h_{t-1} + b_t        for t = 1 … length of the row;  beyond it h_t = 0 and nothing is read

    Args:
        a: the factors, of any sign, with any strides.
        b: the summands.
        lengths: (B,) int64, 0 … T; ``None``: every step is real.
        h_0: the state before the first step.
        reverse: from each row's last real step to its first.

    Shape:
        a, b (B, T, H) and h_0 (B, H), float32 or float64 -> h (B, T, H), h_n (B, H).

    Raises:
        ShapeError: the tensors do not fit each other, or a length is outside 0 … T.

    Cost:
        H multiply-adds per step forward and 2H backward, which reads a and h again. Second derivatives, and several
        gradients at once, take a loop in torch.

    References:
        Martin and Cundy 2018, https://arxiv.org/abs/1709.04057

    Example:
        >>> from unrolled.kernels.library import loaded
        >>> half, one = torch.full((1, 3, 1), 0.5), torch.ones(1, 3, 1)
        >>> if loaded() is not None:
        ...     h, h_n = scan(half, one, None, torch.zeros(1, 1), reverse=False)
        ...     assert h.flatten().tolist() == [1.0, 1.5, 1.75]
    """
    if not unwatched(a):
        h, h_n = scan_operator(a, b, lengths, h_0, reverse)
    elif torch.is_grad_enabled() and (a.requires_grad or b.requires_grad or h_0.requires_grad):
        h, h_n = _Eager.apply(a, b, lengths, h_0, reverse)  # type: ignore[no-untyped-call]
    else:
        h, h_n = _forward(a, b, lengths, h_0, reverse)
    return h, h_n


def _forward(a: Tensor, b: Tensor, lengths: Tensor | None, h_0: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    check("scan", a, "b", b, tuple(a.shape))
    check("scan", a, "h_0", h_0, (a.shape[0], a.shape[2]))
    real_steps("scan", a, lengths)
    a, b, h_0 = rows_contiguous(a), rows_contiguous(b), h_0.contiguous()
    lengths = None if lengths is None else lengths.contiguous()
    h, h_n = made_like(a, a.shape[2]), torch.empty_like(h_0)
    call = problem("scan", h, lengths, h_0, [series(a), series(b)], reverse, packed=False)
    call.h_n = h_n.data_ptr()
    here().run("diagonal_forward", a.dtype, call)
    return h, h_n


def _backward(
    a: Tensor, lengths: Tensor | None, h_0: Tensor, reverse: bool, h: Tensor, d_h: Tensor | None, d_h_n: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    a, h, h_0 = rows_contiguous(a), rows_contiguous(h), h_0.contiguous()
    lengths = None if lengths is None else lengths.contiguous()
    d_a, d_b, d_h_0 = made_like(a, a.shape[2]), made_like(a, a.shape[2]), torch.empty_like(h_0)
    parts = [series(a), series(a)]  # b is not read
    call = problem("scan", h, lengths, h_0, parts, reverse, packed=False)
    retreat(call, d_h, d_h_n, [series(d_a), series(d_b)], d_h_0)
    return d_a, d_b, d_h_0


scan_operator = torch.library.custom_op(
    "unrolled::scan",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor a, Tensor b, Tensor? lengths, Tensor h_0, bool reverse) -> (Tensor, Tensor)",
)(_forward)
_back_operator = torch.library.custom_op(
    "unrolled::scan_backward",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor a, Tensor? lengths, Tensor h_0, bool reverse, Tensor h, Tensor? d_h, Tensor? d_h_n) "
    "-> (Tensor, Tensor, Tensor)",
)(_backward)


@scan_operator.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor]:
    a, _, _, h_0, _ = given
    return like(a, a.shape[2]), h_0.new_empty(h_0.shape)


@_back_operator.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor, Tensor]:
    a, _, h_0, *_ = given
    return like(a, a.shape[2]), like(a, a.shape[2]), h_0.new_empty(h_0.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    a, b, lengths, h_0, ctx.reverse = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(a, b, lengths, h_0, output[0])


def _gradients(run: Any, ctx: Any, d_h: Tensor | None, d_h_n: Tensor | None) -> tuple[Tensor | None, ...]:
    a, b, lengths, h_0, h = ctx.saved_tensors
    if torch.is_grad_enabled() or is_wrapped(d_h, d_h_n):
        needs = ctx.needs_input_grad
        again = partial(plain_scan, lengths=lengths, reverse=ctx.reverse)
        d_a, d_b, d_h_0 = differentiate(again, (a, b, h_0), (*needs[:2], needs[3]), (d_h, d_h_n))
        return d_a, d_b, None, d_h_0, None
    d_a, d_b, d_h_0 = run(a, lengths, h_0, ctx.reverse, h, d_h, d_h_n)
    return d_a, d_b, None, d_h_0, None


scan_operator.register_autograd(partial(_gradients, _back_operator), setup_context=_keep)


class _Eager(torch.autograd.Function):
    """The operator without torch's dispatch, which costs more than a short sequence."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor]:
        h, h_n = _forward(*given)
        _keep(ctx, given, (h, h_n))
        return h, h_n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return _gradients(_backward, ctx, *gradients)
