"""The kernels as two torch operators, forward and backward, so that ``torch.compile`` and ``torch.export`` work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import UsageError
from unrolled.kernels.layout import like
from unrolled.kernels.library import loaded
from unrolled.kernels.passes import SAVED, Above, Run, backward, forward

__all__ = ["gradients_of", "keep", "operator_backward", "recurrence", "recurrence_backward", "twice"]

_TWICE = (
    "the fused kernels have no second derivative: set UNROLLED_KERNELS=plain to use the plain path, which torch can "
    "differentiate twice"
)


def _forward(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *run, save = given
    return forward(Run(*run), save)


def _backward(*given: Any) -> tuple[Tensor, ...]:
    kind, x, lengths, w_ih, w_hh, h_0, c_0, reverse, y, saved, d_y, d_h_n, d_c_n, wanted = given
    run = Run(kind, x, lengths, w_ih, w_hh, None, None, h_0, c_0, reverse)
    return backward(run, y, saved, Above(d_y, d_h_n, d_c_n), wanted)


recurrence = torch.library.custom_op(
    "unrolled::recurrence",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor h_0, "
    "Tensor? c_0, bool reverse, bool save) -> (Tensor, Tensor, Tensor, Tensor)",
)(_forward)
recurrence_backward = torch.library.custom_op(
    "unrolled::recurrence_backward",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor h_0, Tensor? c_0, bool reverse, "
    "Tensor y, Tensor saved, Tensor? d_y, Tensor? d_h_n, Tensor? d_c_n, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)(_backward)


@recurrence.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    kind, x, lengths, _, w_hh, _, _, h_0, c_0, _, save = given
    library = loaded()
    assert library is not None, "call `fits` first"
    steps: Any = 0
    if save:
        steps = x.shape[0] * x.shape[1] if lengths is None else torch.library.get_ctx().new_dynamic_size()
    width = SAVED[kind] * library.padded(w_hh.shape[1], x.dtype)
    c_n = x.new_empty(0) if c_0 is None else x.new_empty(c_0.shape)
    return like(x, w_hh.shape[1]), x.new_empty(h_0.shape), c_n, x.new_empty(steps, width)


@recurrence_backward.register_fake
def _(*given: Any) -> tuple[Tensor, ...]:
    _, x, _, w_ih, w_hh, h_0, c_0, *_, wanted = given
    none = x.new_empty(0)
    bias = x.new_empty(w_ih.shape[0])
    return (
        like(x, x.shape[2]) if wanted[0] else none,
        x.new_empty(w_ih.shape) if wanted[1] else none,
        x.new_empty(w_hh.shape) if wanted[2] else none,
        bias if wanted[3] else none,
        bias.clone() if wanted[3] else none.clone(),
        x.new_empty(h_0.shape),
        none if c_0 is None else x.new_empty(c_0.shape),
    )


def keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Save what the backward pass needs."""
    kind, x, lengths, w_ih, w_hh, _, _, h_0, c_0, reverse, save = inputs
    ctx.kind, ctx.reverse, ctx.saves = kind, reverse, save
    ctx.set_materialize_grads(False)  # otherwise torch would allocate zeros as large as the saved tensor
    ctx.save_for_backward(x, lengths, w_ih, w_hh, h_0, c_0, output[0], output[3])


def operator_backward(run: Run, y: Tensor, saved: Tensor, above: Above, wanted: list[bool]) -> tuple[Tensor, ...]:
    """`backward` through the operator, which compilers can see.

    Args:
        run, y, saved, above, wanted: as in `backward`.
    """
    kind, x, lengths, w_ih, w_hh, _, _, h_0, c_0, reverse = run
    found: tuple[Tensor, ...] = recurrence_backward(
        kind, x, lengths, w_ih, w_hh, h_0, c_0, reverse, y, saved, *above, wanted
    )
    return found


def _back(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
    return gradients_of(operator_backward, ctx, *gradients)


def gradients_of(
    way_back: Callable[[Run, Tensor, Tensor, Above, list[bool]], tuple[Tensor, ...]],
    ctx: Any,
    *gradients: Tensor | None,
) -> tuple[Any, ...]:
    """The gradient of each argument of `recurrence`, or ``None``, computed by ``way_back``.

    Args:
        way_back: `backward` or `operator_backward`.
        ctx: the context that `keep` filled.
        gradients: the gradients of y, h_n and c_n, and ``None`` for the saved tensor.
    """
    d_y, d_h_n, d_c_n, _ = gradients
    x, lengths, w_ih, w_hh, h_0, c_0, y, saved = ctx.saved_tensors
    needs = ctx.needs_input_grad
    wanted = [needs[1], needs[3], needs[4], needs[5] or needs[6]]
    assert ctx.saves, "the forward pass ran without saving"
    run = Run(ctx.kind, x, lengths, w_ih, w_hh, None, None, h_0, c_0, ctx.reverse)
    above = Above(d_y, d_h_n, None if c_0 is None else d_c_n)
    d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h_0, d_c_0 = way_back(run, y, saved, above, wanted)

    def of(place: int, gradient: Tensor) -> Tensor | None:
        return gradient if needs[place] else None

    weights = (of(3, d_w_ih), of(4, d_w_hh), of(5, d_b_ih), of(6, d_b_hh))
    return None, of(1, d_x), None, *weights, of(7, d_h_0), of(8, d_c_0), None, None


def twice(*_: Any) -> tuple[Any, ...]:
    """Refuse a second derivative.

    Raises:
        UsageError: always.
    """
    raise UsageError(_TWICE)


recurrence.register_autograd(_back, setup_context=keep)
recurrence_backward.register_autograd(twice)
