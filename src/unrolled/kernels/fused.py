"""The torch side of the kernels: two operators that autograd, ``torch.compile`` and ``torch.export`` see as one each.

Axes: B rows, T steps, I inputs, H hidden units, G gates, P = H rounded up to a whole vector, N real steps of all rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.kernels.library import CELLS, Problem, loaded
from unrolled.kernels.products import Flat, gradients

__all__ = ["fits", "recurrence"]

_GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
_SAVED = {"rnn_tanh": 0, "rnn_relu": 0, "gru": 4, "lstm": 5}  # parts of P that the way back needs of each step
_TWICE = (
    "the fused kernels have no second derivative: set UNROLLED_KERNELS=plain for the plain path, which torch "
    "differentiates as often as it can"
)


def fits(kind: str | None, x: Tensor, weights: list[Tensor]) -> bool:
    """Whether the kernels run this: a cell of theirs, without projection, on float32 or float64 of a CPU.

    Args:
        kind: ``Cell.vf``.
        x: the inputs (B, T, I).
        weights: ``Cell.weights()``.
    """
    return (
        kind in CELLS
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and len(weights) in (2, 4)
        and x.numel() > 0
        and weights[0].dtype == x.dtype
        and not torch.is_autocast_enabled("cpu")
        and torch.autograd.forward_ad._current_level < 0
        and loaded() is not None
    )


def recurrence(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    weights: list[Tensor],
    state: tuple[Tensor, ...],
    *,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a cell over every step of every row.

    ::

        y_t, s_t = cell(x_t, s_{t-1})        for t = 1 … length of the row;  beyond it y_t = 0 and x is never read

    Args:
        kind: ``lstm``, ``gru``, ``rnn_tanh`` or ``rnn_relu``.
        x: the inputs, with any strides.
        lengths: (B,) int64, 0 … T; ``None``: every step is real.
        weights: ``[weight_ih, weight_hh]``, perhaps followed by ``[bias_ih, bias_hh]``, as torch.nn has them.
        state: the state before the first step, each part (B, H).
        reverse: from each row's last real step to its first.

    Shape:
        x (B, T, I) float32 or float64 -> y (B, T, H), and the state after each row's last real step.

    Raises:
        ShapeError: a length beyond 0 … T.
        UsageError: on a second derivative.

    Cost:
        G·H(I + H) multiply-adds per row and real step. To go back it keeps 5P numbers a step for an LSTM, 4P for a GRU.

    References:
        Appleyard, Kociský and Blunsom 2016, https://arxiv.org/abs/1604.01946

    Example:
        >>> weights = [torch.zeros(4, 2), torch.zeros(4, 4)]
        >>> if loaded() is not None:
        ...     y, (h,) = recurrence("rnn_tanh", torch.ones(1, 3, 2), None, weights, (torch.zeros(1, 4),))
        ...     assert y.shape == (1, 3, 4)
    """
    b_ih, b_hh = weights[2:] or (None, None)
    c_0 = state[1] if kind == "lstm" else None
    inputs = [tensor for tensor in (x, *weights, *state) if tensor.requires_grad]
    save = bool(inputs) and torch.is_grad_enabled()
    y, h_n, c_n, _ = _forward(kind, x, lengths, weights[0], weights[1], b_ih, b_hh, state[0], c_0, reverse, save)
    return y, (h_n, c_n) if kind == "lstm" else (h_n,)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _rows_contiguous(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _time_major(x: Tensor) -> bool:
    """Whether the batch lies inside time, as in ``x.transpose(0, 1)`` of a (T, B, I)."""
    return x.shape[0] > 1 and x.stride(0) < x.stride(1)


def _empty(x: Tensor, width: int) -> Tensor:
    """(B, T, width), in memory as ``x`` is."""
    rows, steps = x.shape[:2]
    return x.new_empty(steps, rows, width).transpose(0, 1) if _time_major(x) else x.new_empty(rows, steps, width)


def _problem(kind: str, x: Tensor, lengths: Tensor | None, w_hh: Tensor, y: Tensor, reverse: bool) -> Problem:
    problem = Problem(CELLS[kind], reverse, torch.get_num_threads(), _time_major(x))
    problem.rows, problem.steps, problem.inputs, problem.units = *x.shape, w_hh.shape[1]
    problem.lengths, problem.x, problem.x_row, problem.x_step = _address(lengths), x.data_ptr(), *x.stride()[:2]
    problem.w_hh, problem.y, problem.y_row, problem.y_step = w_hh.data_ptr(), y.data_ptr(), *y.stride()[:2]
    return problem


def _real_steps(x: Tensor, lengths: Tensor | None) -> int:
    """N."""
    rows, steps = x.shape[:2]
    if lengths is None:
        return rows * steps
    low, high = lengths.aminmax()
    if int(low) < 0 or int(high) > steps:
        raise ShapeError(
            f"lengths are {int(low)} … {int(high)}, expected 0 … {steps} for x with shape {tuple(x.shape)}"
        )
    return int(lengths.sum())


@torch.library.custom_op(
    "unrolled::recurrence",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor h_0, "
    "Tensor? c_0, bool reverse, bool save) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _forward(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    h_0: Tensor,
    c_0: Tensor | None,
    reverse: bool,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y, h_n, c_n (empty but for an LSTM), and what the way back needs: see ``saved`` in ``recurrence.h``."""
    library = loaded()
    assert library is not None, "`fits` comes first"
    x, h_0 = _rows_contiguous(x), h_0.contiguous()
    given = [None if w is None else w.contiguous() for w in (w_ih, b_ih, b_hh, c_0, lengths)]
    w_ih_, b_ih, b_hh, c_0, lengths = given
    w_hh = w_hh.contiguous()
    units = w_hh.shape[1]
    steps = _real_steps(x, lengths)
    y, h_n = _empty(x, units), torch.empty_like(h_0)
    c_n = x.new_empty(0) if c_0 is None else torch.empty_like(c_0)
    saved = x.new_empty(steps if save else 0, _SAVED[kind] * library.padded(units, x.dtype))
    problem = _problem(kind, x, lengths, w_hh, y, reverse)
    problem.w_ih, problem.b_ih, problem.b_hh = _address(w_ih_), _address(b_ih), _address(b_hh)
    problem.h_0, problem.c_0 = h_0.data_ptr(), _address(c_0)
    problem.h_n, problem.c_n = h_n.data_ptr(), None if c_0 is None else c_n.data_ptr()
    problem.saved = saved.data_ptr() if save else None
    library.run("forward", x.dtype, problem)
    return y, h_n, c_n, saved


@_forward.register_fake
def _(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    kind, x, lengths, _, w_hh, _, _, h_0, c_0, _, save = given
    library = loaded()
    assert library is not None, "`fits` comes first"
    steps: Any = 0
    if save:
        steps = x.shape[0] * x.shape[1] if lengths is None else torch.library.get_ctx().new_dynamic_size()
    width = _SAVED[kind] * library.padded(w_hh.shape[1], x.dtype)
    c_n = x.new_empty(0) if c_0 is None else x.new_empty(c_0.shape)
    return _empty(x, w_hh.shape[1]), x.new_empty(h_0.shape), c_n, x.new_empty(steps, width)


@torch.library.custom_op(
    "unrolled::recurrence_backward",
    mutates_args=(),
    device_types="cpu",
    schema="(str kind, Tensor x, Tensor? lengths, Tensor w_ih, Tensor w_hh, Tensor h_0, Tensor? c_0, bool reverse, "
    "Tensor y, Tensor saved, Tensor? d_y, Tensor? d_h_n, Tensor? d_c_n, bool[] wanted) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    h_0: Tensor,
    c_0: Tensor | None,
    reverse: bool,
    y: Tensor,
    saved: Tensor,
    d_y: Tensor | None,
    d_h_n: Tensor | None,
    d_c_n: Tensor | None,
    wanted: list[bool],
) -> tuple[Tensor, ...]:
    """The gradients of x, w_ih, w_hh, b_ih, b_hh, h_0, c_0; ``wanted``: of x, w_ih, w_hh and biases; else empty."""
    library = loaded()
    assert library is not None
    x, w_hh_, h_0 = _rows_contiguous(x), w_hh.contiguous(), h_0.contiguous()
    d_y = None if d_y is None else _rows_contiguous(d_y)
    given = [None if tensor is None else tensor.contiguous() for tensor in (c_0, lengths, d_h_n, d_c_n)]
    c_0, lengths, d_h_n, d_c_n = given
    P = library.padded(w_hh.shape[1], x.dtype)
    d_gates = x.new_empty(_real_steps(x, lengths), (4 if kind == "gru" else _GATES[kind]) * P)
    d_h_0 = torch.empty_like(h_0)
    d_c_0 = x.new_empty(0) if c_0 is None else torch.empty_like(c_0)
    problem = _problem(kind, x, lengths, w_hh_, y, reverse)
    problem.h_0, problem.c_0, problem.saved = h_0.data_ptr(), _address(c_0), saved.data_ptr()
    problem.d_y, problem.d_h_n, problem.d_c_n = _address(d_y), _address(d_h_n), _address(d_c_n)
    if d_y is not None:
        problem.d_y_row, problem.d_y_step = d_y.stride()[:2]
    problem.d_gates, problem.d_h_0 = d_gates.data_ptr(), d_h_0.data_ptr()
    problem.d_c_0 = None if c_0 is None else d_c_0.data_ptr()
    library.run("backward", x.dtype, problem)
    flat = Flat(x, y, h_0, lengths, reverse, _time_major(x))
    return *gradients(kind, flat, d_gates, w_ih, w_hh.shape[1], wanted), d_h_0, d_c_0


@_backward.register_fake
def _(*given: Any) -> tuple[Tensor, ...]:
    _, x, _, w_ih, w_hh, h_0, c_0, *_, wanted = given
    none = x.new_empty(0)
    bias = x.new_empty(w_ih.shape[0])
    return (
        _empty(x, x.shape[2]) if wanted[0] else none,
        x.new_empty(w_ih.shape) if wanted[1] else none,
        x.new_empty(w_hh.shape) if wanted[2] else none,
        bias if wanted[3] else none,
        bias.clone() if wanted[3] else none.clone(),
        x.new_empty(h_0.shape),
        none if c_0 is None else x.new_empty(c_0.shape),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    kind, x, lengths, w_ih, w_hh, _, _, h_0, c_0, reverse, save = inputs
    ctx.kind, ctx.reverse, ctx.saves = kind, reverse, save
    ctx.set_materialize_grads(False)  # nobody needs zeros as large as what was saved
    ctx.save_for_backward(x, lengths, w_ih, w_hh, h_0, c_0, output[0], output[3])


def _back(
    ctx: Any, d_y: Tensor | None, d_h_n: Tensor | None, d_c_n: Tensor | None, _: Tensor | None
) -> tuple[Any, ...]:
    x, lengths, w_ih, w_hh, h_0, c_0, y, saved = ctx.saved_tensors
    needs = ctx.needs_input_grad
    wanted = [needs[1], needs[3], needs[4], needs[5] or needs[6]]
    assert ctx.saves, "the forward pass was told to keep nothing"
    d_c_n = None if c_0 is None else d_c_n
    found = _backward(ctx.kind, x, lengths, w_ih, w_hh, h_0, c_0, ctx.reverse, y, saved, d_y, d_h_n, d_c_n, wanted)
    d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h_0, d_c_0 = found

    def of(place: int, gradient: Tensor) -> Tensor | None:
        return gradient if needs[place] else None

    weights = (of(3, d_w_ih), of(4, d_w_hh), of(5, d_b_ih), of(6, d_b_hh))
    return None, of(1, d_x), None, *weights, of(7, d_h_0), of(8, d_c_0), None, None


def _twice(*_: Any) -> tuple[Any, ...]:
    raise UsageError(_TWICE)


_forward.register_autograd(_back, setup_context=_keep)
_backward.register_autograd(_twice)
