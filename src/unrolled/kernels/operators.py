"""The kernels as two torch operators, forward and backward, so that ``torch.compile`` and ``torch.export`` work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.kernels.layout import like
from unrolled.kernels.library import SUFFIXES, loaded
from unrolled.kernels.passes import SAVED, Above, Run, backward, forward
from unrolled.kernels.plain import differentiate, is_wrapped, plain

__all__ = ["again", "gradients_of", "keep", "recurrence", "recurrence_backward"]


def _forward(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    *fields, save = given
    run = Run(*fields)
    if _takes(run.x):
        return forward(run, save, whole=True)
    y, h_n, c_n = _plain_run(run)
    return y.contiguous(), h_n.clone(), c_n.clone(), run.x.new_empty(0)


def _backward(*given: Any) -> tuple[Tensor, ...]:
    *fields, y, saved, d_y, d_h_n, d_c_n, wanted = given
    run, above = Run(*fields), Above(d_y, d_h_n, d_c_n)
    if SAVED[run.kind] and not saved.numel():
        y, _, _, saved = forward(run, save=True)
    return backward(run, y, saved, above, wanted)


def _takes(x: Tensor) -> bool:
    """Whether the kernels can run this. An exported program may be opened where they cannot."""
    return loaded() is not None and x.device.type == "cpu" and x.dtype in SUFFIXES and x.numel() > 0


recurrence = torch.library.custom_op(
    "unrolled::recurrence",
    mutates_args=(),
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor h_0, "
    "Tensor? c_0, bool reverse, bool save) -> (Tensor, Tensor, Tensor, Tensor)",
)(_forward)
recurrence_backward = torch.library.custom_op(
    "unrolled::recurrence_backward",
    mutates_args=(),
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor h_0, "
    "Tensor? c_0, bool reverse, Tensor y, Tensor saved, Tensor? d_y, Tensor? d_h_n, Tensor? d_c_n, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)(_backward)


@recurrence.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    kind, x, _, _, w_hh, _, _, h_0, c_0, _, save = given
    library, units = loaded(), w_hh.shape[1]
    c_n = x.new_empty(0) if c_0 is None else x.new_empty(c_0.shape)
    if library is None or x.dtype not in SUFFIXES:
        return x.new_empty(x.shape[0], x.shape[1], units), x.new_empty(h_0.shape), c_n, x.new_empty(0)
    steps, width = x.shape[0] * x.shape[1] if save else 0, SAVED[kind] * library.padded(units, x.dtype)
    return like(x, units), x.new_empty(h_0.shape), c_n, x.new_empty(steps, width)


@recurrence_backward.register_fake
def _(*given: Any) -> tuple[Tensor, ...]:
    _, x, _, w_ih, w_hh, _, _, h_0, c_0, *_, wanted = given
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


def keep(ctx: Any, run: Run, y: Tensor | None, saved: Tensor) -> None:
    """Save what the backward pass needs."""
    ctx.kind, ctx.reverse = run.kind, run.reverse
    ctx.set_materialize_grads(False)  # otherwise torch would allocate zeros as large as the saved tensor
    ctx.save_for_backward(run.x, run.lengths, run.w_ih, run.w_hh, run.b_ih, run.b_hh, run.h_0, run.c_0, y, saved)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    keep(ctx, Run(*inputs[:-1]), output[0], output[3])


def _operator_backward(run: Run, y: Tensor, saved: Tensor, above: Above, wanted: list[bool]) -> tuple[Tensor, ...]:
    """`backward` through the operator, which compilers can see."""
    found: tuple[Tensor, ...] = recurrence_backward(*run, y, saved, *above, wanted)
    return found


def _back(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
    return (*gradients_of(_operator_backward, ctx, *gradients[:3]), None)


def gradients_of(way_back: Callable[..., tuple[Tensor, ...]], ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
    """The gradient of each field of a `Run`, or ``None``.

    Args:
        way_back: `backward`, or a function like it.
        ctx: the context that `keep` filled.
        gradients: the gradients of y, h_n and c_n.
    """
    *tensors, y, saved = ctx.saved_tensors
    x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0 = tensors
    run = Run(ctx.kind, x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0, ctx.reverse)
    d_y, d_h_n, d_c_n = gradients
    needs, above = ctx.needs_input_grad, Above(d_y, d_h_n, None if c_0 is None else d_c_n)
    if torch.is_grad_enabled() or is_wrapped(*above) or not _takes(x):
        return again(run, needs, above)
    wanted = [needs[1], needs[3], needs[4], needs[5] or needs[6]]
    d_x, *of_weights, d_h_0, d_c_0 = way_back(run, y, saved, above, wanted)
    found = (None, d_x, None, *of_weights, d_h_0, d_c_0, None)
    return tuple(gradient if need else None for gradient, need in zip(found, needs[: len(found)], strict=True))


def again(run: Run, needs: Sequence[bool], above: Above) -> tuple[Any, ...]:
    """The gradient of each field of ``run`` by torch, which can differentiate them, and compute many at once.

    Args:
        run: the cell and its rows.
        needs: the fields whose gradients are needed; the others get ``None``.
        above: the gradients of the outputs.
    """

    def outputs(*given: Any) -> tuple[Tensor, ...]:
        x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0 = given
        return _plain_run(Run(run.kind, x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0, run.reverse))

    found = differentiate(outputs, run[1:-1], needs[1 : len(run) - 1], above)
    return (None, *found, None)


def _plain_run(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """y, h_n and c_n, which is empty except for an LSTM."""
    weights = [weight for weight in (run.w_ih, run.w_hh, run.b_ih, run.b_hh) if weight is not None]
    state = (run.h_0,) if run.c_0 is None else (run.h_0, run.c_0)
    y, parts = plain(run.kind, run.x, run.lengths, weights, state, run.reverse)
    return y, parts[0], run.x.new_empty(0) if run.c_0 is None else parts[1]


recurrence.register_autograd(_back, setup_context=_keep)
