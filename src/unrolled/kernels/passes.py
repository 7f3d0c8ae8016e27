"""One call of the kernels, forward or back: from tensors to addresses and strides.

Axes: B rows, T steps, I inputs, H hidden units, G gates, P = H rounded up to a whole vector, N real steps of all rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.kernels.library import CELLS, Problem, loaded
from unrolled.kernels.memory import reused
from unrolled.kernels.tensors import address, check, made_like, real_steps, rows_contiguous, time_major

__all__ = ["SAVED", "backward", "forward"]

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
SAVED = {"rnn_tanh": 0, "rnn_relu": 0, "gru": 4, "lstm": 5}  # parts of P that the way back needs of each step


def forward(
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
    y: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """y, h_n, c_n (empty but for an LSTM), and what the way back needs: ``saved`` of ``recurrence.h``.

    Args:
        kind: a name of `CELLS`.
        x: (B, T, I), with any strides.
        lengths: (B,) int64, or ``None``.
        w_ih: (G·H, I).
        w_hh: (G·H, H).
        b_ih: (G·H,), or ``None``.
        b_hh: as ``b_ih``.
        h_0: (B, H).
        c_0: (B, H) of an LSTM.
        reverse: from each row's end.
        save: whether the way back will be gone.
        y: (B, T, H), where y is to be written; ``None``: to memory of its own.

    Raises:
        ShapeError: a tensor of another shape, dtype or device; a length beyond 0 … T.
    """
    library = loaded()
    assert library is not None, "the caller has asked whether the kernels are there"
    _check(kind, x, (w_ih, w_hh, b_ih, b_hh), (h_0, c_0))
    x, h_0 = rows_contiguous(x), h_0.contiguous()
    given = [None if w is None else w.contiguous() for w in (w_ih, b_ih, b_hh, c_0, lengths)]
    w_ih_, b_ih, b_hh, c_0, lengths = given
    w_hh = w_hh.contiguous()
    units = w_hh.shape[1]
    steps = real_steps(kind, x, lengths)
    y, h_n = made_like(x, units) if y is None else y, torch.empty_like(h_0)
    c_n = x.new_empty(0) if c_0 is None else torch.empty_like(c_0)
    saved = _lines(x, steps if save else 0, SAVED[kind] * library.padded(units, x.dtype))
    problem = _problem(kind, x, lengths, w_hh, y, reverse)
    problem.w_ih, problem.b_ih, problem.b_hh = address(w_ih_), address(b_ih), address(b_hh)
    problem.h_0, problem.c_0 = h_0.data_ptr(), address(c_0)
    problem.h_n, problem.c_n = h_n.data_ptr(), None if c_0 is None else c_n.data_ptr()
    problem.saved = saved.data_ptr() if save else None
    library.run("forward", x.dtype, problem)
    return y, h_n, c_n, saved


def backward(
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
    spent: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of x, w_ih, w_hh, b_ih, b_hh, h_0 and c_0.

    Args:
        kind: as `forward` had it, and so the following.
        x: (B, T, I).
        lengths: (B,), or ``None``.
        w_ih: (G·H, I).
        w_hh: (G·H, H).
        h_0: (B, H).
        c_0: (B, H) of an LSTM.
        reverse: from each row's end.
        y: its answer.
        saved: its answer.
        d_y: (B, T, H) or ``None`` for zeros.
        d_h_n: (B, H) or ``None``.
        d_c_n: (B, H) or ``None``.
        wanted: whether those of x, w_ih, w_hh, the biases; else they are empty.
        spent: ``saved`` is not needed again, and may be written over.
    """
    library = loaded()
    assert library is not None
    x, w_ih, w_hh, h_0 = rows_contiguous(x), w_ih.contiguous(), w_hh.contiguous(), h_0.contiguous()
    d_y = None if d_y is None else rows_contiguous(d_y)
    given = [None if tensor is None else tensor.contiguous() for tensor in (c_0, lengths, d_h_n, d_c_n)]
    c_0, lengths, d_h_n, d_c_n = given
    blocks = 4 if kind == "gru" else GATES[kind]
    width = blocks * library.padded(w_hh.shape[1], x.dtype)
    enough = spent and saved.shape[1] >= width
    d_gates = saved[:, :width] if enough else _lines(x, real_steps(kind, x, lengths), width)
    d_x = made_like(x, x.shape[2]) if wanted[0] else x.new_empty(0)
    d_w_ih = torch.empty_like(w_ih) if wanted[1] else x.new_empty(0)
    d_w_hh = torch.empty_like(w_hh) if wanted[2] else x.new_empty(0)
    d_b_ih, d_b_hh = (x.new_empty(len(w_ih) if wanted[3] else 0) for _ in range(2))
    d_h_0 = torch.empty_like(h_0)
    d_c_0 = x.new_empty(0) if c_0 is None else torch.empty_like(c_0)
    problem = _problem(kind, x, lengths, w_hh, y, reverse)
    problem.w_ih, problem.saved = w_ih.data_ptr(), saved.data_ptr()
    problem.h_0, problem.c_0 = h_0.data_ptr(), address(c_0)
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
    problem.d_h_0, problem.d_c_0 = d_h_0.data_ptr(), None if c_0 is None else d_c_0.data_ptr()
    library.run("backward", x.dtype, problem)
    return d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h_0, d_c_0


def _check(kind: str, x: Tensor, weights: tuple[Tensor | None, ...], state: tuple[Tensor | None, ...]) -> None:
    """Raise a `ShapeError` unless all fit."""
    rows, units = x.shape[0], weights[1].shape[-1] if weights[1] is not None else 0
    lines = GATES[kind] * units
    shapes = [(lines, x.shape[2]), (lines, units), (lines,), (lines,), (rows, units), (rows, units)]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "h_0", "c_0")
    for name, tensor, shape in zip(names, (*weights, *state), shapes, strict=True):
        if tensor is not None:
            check(kind, x, name, tensor, shape)


def _lines(x: Tensor, steps: int, width: int) -> Tensor:
    """(N, width), with room for B·T, so that batches of one shape share a buffer whatever their lengths."""
    rows = x.shape[0] * x.shape[1] if steps else 0
    return reused((rows, width), x.dtype)[:steps]


def _problem(kind: str, x: Tensor, lengths: Tensor | None, w_hh: Tensor, y: Tensor, reverse: bool) -> Problem:
    problem = Problem(CELLS[kind], reverse, torch.get_num_threads(), time_major(x))
    problem.rows, problem.steps, problem.inputs, problem.units = *x.shape, w_hh.shape[1]
    problem.lengths, problem.x, problem.x_row, problem.x_step = address(lengths), x.data_ptr(), *x.stride()[:2]
    problem.w_hh, problem.y, problem.y_row, problem.y_step = w_hh.data_ptr(), y.data_ptr(), *y.stride()[:2]
    return problem
