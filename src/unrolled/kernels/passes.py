"""Call the kernels, forward or backward, with tensors as addresses and strides.

Axes: B rows, T steps, I inputs, H hidden units, G gates, P = H rounded up to a whole vector, N real steps of all rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.kernels.layout import address, check, made_like, real_steps, rows_contiguous, time_major
from unrolled.kernels.library import CELLS, Problem, loaded
from unrolled.kernels.scratch import reused

__all__ = ["SAVED", "Above", "Run", "backward", "forward"]

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
SAVED = {"rnn_tanh": 0, "rnn_relu": 0, "gru": 4, "lstm": 5}  # multiples of P saved per step for the backward pass


class Run(NamedTuple):
    """The input of both passes: a cell and the rows that it runs over."""

    kind: str  # a name of `CELLS`
    x: Tensor  # (B, T, I), with any strides
    lengths: Tensor | None  # (B,) int64; None: every step is real
    w_ih: Tensor  # (G·H, I)
    w_hh: Tensor  # (G·H, H)
    b_ih: Tensor | None  # (G·H,)
    b_hh: Tensor | None
    h_0: Tensor  # (B, H)
    c_0: Tensor | None  # (B, H) of an LSTM
    reverse: bool  # from each row's end


class Above(NamedTuple):
    """The gradients of the outputs of `forward`; ``None`` stands for zeros."""

    y: Tensor | None  # (B, T, H)
    h_n: Tensor | None  # (B, H)
    c_n: Tensor | None  # (B, H)


def forward(
    run: Run, save: bool, y: Tensor | None = None, whole: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run forward; return y, h_n, c_n (empty except for an LSTM), and ``saved`` of ``recurrence.h`` for `backward`.

    Args:
        run: the cell and its rows.
        save: whether a backward pass will follow.
        y: (B, T, H), the tensor to write y to; ``None``: a new one.
        whole: ``saved`` has B·T lines whatever the lengths, so that its shape is known beforehand.

    Raises:
        ShapeError: a tensor has another shape, dtype or device; a length is outside 0 … T.
    """
    library = loaded()
    assert library is not None, "the caller must check that the kernels are available"
    _check(run)
    run = _dense(run)
    x, units = run.x, run.w_hh.shape[1]
    steps = real_steps(run.kind, x, run.lengths)
    y, h_n = made_like(x, units) if y is None else y, torch.empty_like(run.h_0)
    c_n = x.new_empty(0) if run.c_0 is None else torch.empty_like(run.c_0)
    lines = x.shape[0] * x.shape[1] if whole else steps
    saved = _lines(x, lines if save else 0, SAVED[run.kind] * library.padded(units, x.dtype))
    problem = _problem(run, y)
    problem.b_ih, problem.b_hh = address(run.b_ih), address(run.b_hh)
    problem.h_n, problem.c_n = h_n.data_ptr(), None if run.c_0 is None else c_n.data_ptr()
    problem.saved = saved.data_ptr() if save else None
    library.run("forward", x.dtype, problem)
    return y, h_n, c_n, saved


def backward(
    run: Run, y: Tensor, saved: Tensor, above: Above, wanted: list[bool], spent: bool = False
) -> tuple[Tensor, ...]:
    """The gradients of x, w_ih, w_hh, b_ih, b_hh, h_0 and c_0.

    Args:
        run: the input of `forward`.
        y: the y that `forward` returned.
        saved: the ``saved`` that `forward` returned.
        above: the gradients of the outputs of `forward`.
        wanted: whether to compute the gradients of x, w_ih, w_hh and the biases; those not wanted are empty.
        spent: ``saved`` is not needed again and may be overwritten.
    """
    library = loaded()
    assert library is not None
    run = _dense(run)
    x, lines = run.x, len(run.w_ih)
    d_y = None if above.y is None else rows_contiguous(above.y)
    d_h_n, d_c_n = _dense_part(above.h_n), _dense_part(above.c_n)
    blocks = 4 if run.kind == "gru" else GATES[run.kind]
    width = blocks * library.padded(run.w_hh.shape[1], x.dtype)
    enough = spent and saved.shape[1] >= width
    d_gates = saved[:, :width] if enough else _lines(x, real_steps(run.kind, x, run.lengths), width)
    d_x = made_like(x, x.shape[2]) if wanted[0] else x.new_empty(0)
    d_w_ih = torch.empty_like(run.w_ih) if wanted[1] else x.new_empty(0)
    d_w_hh = torch.empty_like(run.w_hh) if wanted[2] else x.new_empty(0)
    d_b_ih, d_b_hh = (x.new_empty(lines if wanted[3] else 0) for _ in range(2))
    d_h_0 = torch.empty_like(run.h_0)
    d_c_0 = x.new_empty(0) if run.c_0 is None else torch.empty_like(run.c_0)
    problem = _problem(run, y)
    problem.saved = saved.data_ptr()
    problem.d_y, problem.d_h_n, problem.d_c_n = address(d_y), address(d_h_n), address(d_c_n)
    if d_y is not None:
        problem.d_y_row, problem.d_y_step = d_y.stride()[:2]
    problem.d_gates, problem.d_gates_step = d_gates.data_ptr(), d_gates.stride(0)
    if wanted[0]:
        problem.d_x, problem.d_x_row, problem.d_x_step = d_x.data_ptr(), *d_x.stride()[:2]
    problem.d_w_ih = d_w_ih.data_ptr() if wanted[1] else None
    problem.d_w_hh = d_w_hh.data_ptr() if wanted[2] else None
    if wanted[3]:
        problem.d_b_ih, problem.d_b_hh = d_b_ih.data_ptr(), d_b_hh.data_ptr()
    problem.d_h_0, problem.d_c_0 = d_h_0.data_ptr(), None if run.c_0 is None else d_c_0.data_ptr()
    library.run("backward", x.dtype, problem)
    return d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h_0, d_c_0


def _check(run: Run) -> None:
    """Raise a `ShapeError` unless all tensors fit."""
    rows, _, inputs = run.x.shape
    units = run.w_hh.shape[-1]
    lines = GATES[run.kind] * units
    check(run.kind, run.x, "weight_ih", run.w_ih, (lines, inputs))
    check(run.kind, run.x, "weight_hh", run.w_hh, (lines, units))
    for name, tensor, shape in (
        ("bias_ih", run.b_ih, (lines,)),
        ("bias_hh", run.b_hh, (lines,)),
        ("h_0", run.h_0, (rows, units)),
        ("c_0", run.c_0, (rows, units)),
    ):
        if tensor is not None:
            check(run.kind, run.x, name, tensor, shape)


def _dense(run: Run) -> Run:
    """The same run with each tensor in the layout that the kernels read; copies only if necessary."""
    kind, x, lengths, w_ih, w_hh, b_ih, b_hh, h_0, c_0, reverse = run
    weights = w_ih.contiguous(), w_hh.contiguous(), _dense_part(b_ih), _dense_part(b_hh)
    return Run(kind, rows_contiguous(x), _dense_part(lengths), *weights, h_0.contiguous(), _dense_part(c_0), reverse)


def _dense_part(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _lines(x: Tensor, steps: int, width: int) -> Tensor:
    """(N, width) with space for B·T, so that batches of the same shape reuse one buffer whatever their lengths."""
    rows = x.shape[0] * x.shape[1] if steps else 0
    return reused((rows, width), x.dtype)[:steps]


def _problem(run: Run, y: Tensor) -> Problem:
    """The arguments that both passes share; the addresses are valid as long as ``run`` and ``y`` are alive."""
    x = run.x
    problem = Problem(CELLS[run.kind], run.reverse, torch.get_num_threads(), time_major(x))
    problem.rows, problem.steps, problem.inputs, problem.units = *x.shape, run.w_hh.shape[1]
    problem.lengths, problem.x, problem.x_row, problem.x_step = address(run.lengths), x.data_ptr(), *x.stride()[:2]
    problem.w_ih, problem.w_hh = run.w_ih.data_ptr(), run.w_hh.data_ptr()
    problem.h_0, problem.c_0 = run.h_0.data_ptr(), address(run.c_0)
    problem.y, problem.y_row, problem.y_step = y.data_ptr(), *y.stride()[:2]
    return problem
