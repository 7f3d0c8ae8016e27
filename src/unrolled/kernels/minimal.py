"""minGRU and minLSTM over time as a torch operator with a gradient: one product over all steps, then the fused kernel.

Axes: B rows, T steps, I inputs, H units, G gates, N real steps of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from unrolled.kernels.diagonal import here, problem, retreat
from unrolled.kernels.fused import unwatched
from unrolled.kernels.layout import (
    check,
    flattened,
    like,
    made_like,
    real_steps,
    rows_contiguous,
    time_major,
    unflattened,
)
from unrolled.kernels.library import Series
from unrolled.kernels.plain import differentiate, is_wrapped, plain_scan
from unrolled.kernels.scratch import reused
from unrolled.layers.lengths import zero_padding

__all__ = ["GATES", "minimal", "minimal_operator"]

GATES = {"mingru": 2, "minlstm": 3}


def minimal(
    kind: str, x: Tensor, lengths: Tensor | None, weight: Tensor, bias: Tensor, h_0: Tensor, reverse: bool
) -> tuple[Tensor, Tensor]:
    """Run a minGRU or minLSTM, whose gates see only the input, over every step of every row.

    ::

        k_t = W x_t + b;   a_t, b_t = gates(k_t);   h_t = a_t ⊙ h_{t-1} + b_t        beyond a row's length h_t = 0

    Args:
        kind: ``mingru`` or ``minlstm``.
        x: the inputs, with any strides.
        lengths: (B,) int64, 0 … T; ``None``: every step is real. Padding is never read.
        weight: (G·H, I).
        bias: (G·H,).
        h_0: the state before the first step.
        reverse: from each row's last real step to its first.

    Shape:
        x (B, T, I) and h_0 (B, H), float32 or float64 -> h (B, T, H), h_n (B, H).

    Raises:
        ShapeError: a tensor does not fit, or a length is outside 0 … T.

    Cost:
        G·H·I multiply-adds per row and real step. For the backward pass it keeps k, G·H numbers per step, and computes
        the gates from it again.

    References:
        Feng et al. 2024, https://arxiv.org/abs/2410.01201

    Example:
        >>> from unrolled.kernels.library import loaded
        >>> if loaded() is not None:
        ...     h, _ = minimal("mingru", torch.ones(1, 3, 2), None, torch.zeros(8, 2), torch.zeros(8),
        ...                    torch.ones(1, 4), reverse=False)
        ...     assert h[0, :, 0].tolist() == [0.5, 0.25, 0.125]
    """
    given = (kind, x, lengths, weight, bias, h_0, reverse)
    tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, weight, bias, h_0))
    if not unwatched(x):
        h, h_n, _ = minimal_operator(*given, tracked)
    elif tracked:
        h, h_n = _Eager.apply(*given)  # type: ignore[no-untyped-call]
    else:
        h, h_n, _ = _forward(*given, False)
    return h, h_n


def _forward(
    kind: str, x: Tensor, lengths: Tensor | None, weight: Tensor, bias: Tensor, h_0: Tensor, reverse: bool, save: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """h, h_n and k (N, G·H), which is empty unless it is to be saved."""
    rows, _, inputs = x.shape
    lines, units = len(weight), len(weight) // GATES[kind]
    check(kind, x, "weight_ih", weight, (GATES[kind] * units, inputs))
    check(kind, x, "bias_ih", bias, (lines,))
    check(kind, x, "h_0", h_0, (rows, units))
    steps = real_steps(kind, x, lengths)
    lengths, h_0 = None if lengths is None else lengths.contiguous(), h_0.contiguous()
    h, h_n = made_like(x, units), torch.empty_like(h_0)
    k = torch.addmm(bias, flattened(x, lengths), weight.t(), out=reused((steps, lines), x.dtype))
    call = problem(kind, h, lengths, h_0, _parts(k, x, lengths, units), reverse, packed=lengths is not None)
    call.h_n = h_n.data_ptr()
    here().run("diagonal_forward", x.dtype, call)
    return h, h_n, k if save else x.new_empty(0, lines)


def _backward(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    weight: Tensor,
    h_0: Tensor,
    reverse: bool,
    h: Tensor,
    k: Tensor,
    d_h: Tensor | None,
    d_h_n: Tensor | None,
    wanted: Sequence[bool],
    spent: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x, weight and bias, empty unless ``wanted``, and of h_0. ``spent``: k may be overwritten."""
    lengths, h_0, h = None if lengths is None else lengths.contiguous(), h_0.contiguous(), rows_contiguous(h)
    units = h.shape[2]
    d_k, d_h_0 = k if spent else reused(tuple(k.shape), k.dtype), torch.empty_like(h_0)
    d_bias = x.new_empty(len(weight) if wanted[2] else 0)
    parts, d_parts = _parts(k, x, lengths, units), _parts(d_k, x, lengths, units)
    call = problem(kind, h, lengths, h_0, parts, reverse, packed=lengths is not None)
    retreat(call, d_h, d_h_n, d_parts, d_h_0, d_bias if wanted[2] else None)
    d_x, d_weight = x.new_empty(0), x.new_empty(0)
    if wanted[0]:
        d_x = unflattened(torch.mm(d_k, weight, out=reused((len(d_k), x.shape[2]), x.dtype)), x, lengths)
    if wanted[1]:
        d_weight = d_k.t() @ flattened(x, lengths)
    return d_x, d_weight, d_bias, d_h_0


def _plain(
    kind: str, lengths: Tensor | None, reverse: bool, x: Tensor, weight: Tensor, bias: Tensor, h_0: Tensor
) -> tuple[Tensor, Tensor]:
    """The definition, in torch."""
    gates = linear(zero_padding(x, lengths), weight, bias).chunk(GATES[kind], 2)
    a, b = _TERMS[kind](*gates)
    return plain_scan(a, b, h_0, lengths, reverse)


def _mingru(z: Tensor, candidate: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(-z), torch.sigmoid(z) * candidate


def _minlstm(f: Tensor, i: Tensor, candidate: Tensor) -> tuple[Tensor, Tensor]:
    log_ratio = softplus(-i) - softplus(-f)  # log f - log i
    return torch.sigmoid(log_ratio), torch.sigmoid(-log_ratio) * candidate


_TERMS: dict[str, Any] = {"mingru": _mingru, "minlstm": _minlstm}


def _parts(k: Tensor, x: Tensor, lengths: Tensor | None, units: int) -> list[Series]:
    """The addresses of the gates in k (N, G·H), whose rows are in the order of `flattened`."""
    (rows, steps), width, size = x.shape[:2], k.shape[1], k.element_size()
    row, step = (width, rows * width) if lengths is None and time_major(x) else (steps * width, width)
    return [Series(k.data_ptr() + gate * units * size, row, step) for gate in range(width // units)]


minimal_operator = torch.library.custom_op(
    "unrolled::minimal",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor weight, Tensor bias, Tensor h_0, bool reverse, bool save) "
    "-> (Tensor, Tensor, Tensor)",
)(_forward)
_back_operator = torch.library.custom_op(
    "unrolled::minimal_backward",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor weight, Tensor h_0, bool reverse, Tensor h, Tensor k, "
    "Tensor? d_h, Tensor? d_h_n, bool[] wanted) -> (Tensor, Tensor, Tensor, Tensor)",
)(_backward)


@minimal_operator.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor, Tensor]:
    _, x, lengths, weight, _, h_0, _, save = given
    steps: Any = 0
    if save:
        steps = x.shape[0] * x.shape[1] if lengths is None else torch.library.get_ctx().new_dynamic_size()
    return like(x, h_0.shape[1]), h_0.new_empty(h_0.shape), x.new_empty(steps, weight.shape[0])


@_back_operator.register_fake
def _(*given: Any) -> tuple[Tensor, ...]:
    _, x, _, weight, h_0, *_, wanted = given
    d_x = like(x, x.shape[2]) if wanted[0] else x.new_empty(0)
    d_weight = x.new_empty(weight.shape if wanted[1] else 0)
    return d_x, d_weight, x.new_empty(weight.shape[0] if wanted[2] else 0), h_0.new_empty(h_0.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.kind, x, lengths, weight, bias, h_0, ctx.reverse, saved = inputs
    assert saved, "the forward pass ran without saving"
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, lengths, weight, bias, h_0, output[0], output[2])


def _gradients(run: Any, ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
    d_h, d_h_n, _ = gradients  # k has no gradient
    x, lengths, weight, bias, h_0, h, k = ctx.saved_tensors
    needs = ctx.needs_input_grad
    if torch.is_grad_enabled() or is_wrapped(d_h, d_h_n):
        again = partial(_plain, ctx.kind, lengths, ctx.reverse)
        wants = (needs[1], *needs[3:6])
        d_x, d_weight, d_bias, d_h_0 = differentiate(again, (x, weight, bias, h_0), wants, (d_h, d_h_n))
        return None, d_x, None, d_weight, d_bias, d_h_0, None, None
    wanted = [needs[1], needs[3], needs[4]]
    found = run(ctx.kind, x, lengths, weight, h_0, ctx.reverse, h, k, d_h, d_h_n, wanted)
    d_x, d_weight, d_bias = (one if want else None for one, want in zip(found[:3], wanted, strict=True))
    return None, d_x, None, d_weight, d_bias, found[3], None, None


minimal_operator.register_autograd(partial(_gradients, _back_operator), setup_context=_keep)


class _Eager(torch.autograd.Function):
    """The operator without torch's dispatch, which costs more than a short sequence."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor]:
        kind, x, lengths, weight, bias, h_0, reverse = given
        h, h_n, k = _forward(kind, x, lengths, weight, bias, h_0, reverse, True)
        _keep(ctx, (*given, True), (h, h_n, k))
        return h, h_n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        run = partial(_backward, spent=not torch._C._autograd._get_current_graph_task_keep_graph())
        return _gradients(run, ctx, *gradients, None)[:-1]
