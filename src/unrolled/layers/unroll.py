"""The one door from a cell to a sequence: whatever wants a cell run over time asks `unroll`.

Behind the door stand three paths that agree to rounding: the plain loop, which is the definition; torch's own loop
(``torch._VF``), which is faster where it has one for the cell; and on a CPU our kernels, which are faster still and
take lengths as they are. Of a cell whose gates see the input alone, all gates come first, then a `scan`.
Axes: B rows, T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import _VF, Tensor

from unrolled.cells.cell import Cell, check_input
from unrolled.cells.diagonal import DiagonalCell
from unrolled.errors import ShapeError
from unrolled.kernels.fused import fits, recurrence, suits, unwatched
from unrolled.kernels.minimal import GATES, minimal
from unrolled.layers.lengths import check_lengths, last_real, real_steps, reverse_rows, zero_padding
from unrolled.layers.recompute import Recompute, chunk_steps, in_chunks
from unrolled.layers.scan import plain_scan
from unrolled.state import State, where

__all__ = ["unroll"]

_SATURATE = 1e4  # σ(±1e4) is 0 or 1 to the last bit in every dtype, and 1e4 still fits into half precision


def unroll(
    cell: Cell,
    x: Tensor,
    lengths: Tensor | None = None,
    state: State = None,
    *,
    reverse: bool = False,
    recompute: Recompute = None,
) -> tuple[Tensor, State]:
    """Run ``cell`` over every step of ``x``.

    ::

        y_t, s_t = cell(x_t, s_{t-1})        for t = 1 … length of the row;  beyond it y_t = 0 and the state stays

    Args:
        cell: any member of ``cells/``.
        x: the inputs.
        lengths: (B,) integers, 0 … T; ``None``: every step is real. What lies beyond a row's length is never read.
        state: the state before the first step; ``None``: `Cell.initial_state`.
        reverse: run from each row's last real step back to its first.
        recompute: for long rows: keep the states at every so many steps alone (``"sqrt"``: √T, rounded up), and run
            the steps in between once more on the way back. Same outputs, of the kernels to the bit. Without kernels,
            and where a compiler looks on, each chunk goes through `torch.utils.checkpoint`.

    Shape:
        x (B, T, I) -> y (B, T, H) and the state after each row's last real step (with ``reverse``: its first).

    Raises:
        ShapeError: ``x``, ``lengths`` or ``state`` does not fit.
        UsageError: ``recompute`` out of range.

    Cost:
        That of the cell for each real step; with ``recompute`` the way there twice. Without kernels T times that of the
        cell: torch's loop runs over the padded batch, because oneDNN's fast LSTM does not take packed sequences, and
        padding costs less than packing does.

    Example:
        >>> from unrolled.cells.gru import GRU
        >>> y, state = unroll(GRU(2, 4), torch.ones(3, 5, 2), torch.tensor([5, 2, 0]))
        >>> y.shape, y[1, 2:].abs().sum().item(), torch.equal(state.h[1], y[1, 1])
        (torch.Size([3, 5, 4]), 0.0, True)
    """
    owner = f"{type(cell).__name__}({cell.input_size}, {cell.hidden_size})"
    check_input(x, "(B, T, I)", cell.input_size, cell.weights()[0], owner)
    lengths = check_lengths(lengths, x, owner)
    initial = cell.initial_state(len(x), x)
    state = initial if state is None else _check_state(state, initial, owner)
    if x.shape[1] == 0:
        return x.new_zeros(len(x), 0, state[0].shape[1]), state
    weights, size = cell.weights(), chunk_steps(recompute, x.shape[1])
    fused = fits(cell.vf, x, weights)
    if size is not None and not (fused and unwatched(x)):
        return in_chunks(partial(unroll, cell, reverse=reverse), x, lengths, state, size, reverse=reverse)
    if fused:
        y, parts = recurrence(str(cell.vf), x, lengths, weights, state, reverse=reverse, recompute=size)
        return y, type(state)(*parts)
    if isinstance(cell, DiagonalCell):
        return _diagonal(cell, x, lengths, state, reverse)
    x = zero_padding(x, lengths)
    if reverse:
        x = reverse_rows(x, lengths)
    over_time = _loop if cell.vf is None else _torch_loop
    y, last = over_time(cell, x, lengths, state)
    y = zero_padding(y, lengths)
    return reverse_rows(y, lengths) if reverse else y, last


def _diagonal(
    cell: DiagonalCell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, State]:
    """What all steps are made of at once; then the steps, which the kernels take together with that."""
    if cell.vf in GATES and suits(x):
        weight, bias = cell.weights()
        y, h_n = minimal(str(cell.vf), x, lengths, weight, bias, state.h, reverse)
    else:
        y, h_n = plain_scan(*cell.terms(zero_padding(x, lengths)), state.h, lengths, reverse)
    return y, type(state)(h_n)


def _loop(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """The definition: one step after another; where a row has ended, its state stays."""
    real = None if lengths is None else real_steps(lengths, x.shape[1])
    ys = []
    for t, x_t in enumerate(x.unbind(1)):
        y_t, after = cell(x_t, state)
        state = after if real is None else where(real[:, t], after, state)
        ys.append(y_t)
    return torch.stack(ys, 1), state


def _torch_loop(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """The loop of torch itself. It runs on into the padding, so the state at each row's end is found otherwise."""
    weights = cell.weights()
    if lengths is not None and cell.vf == "lstm":
        x, weights = _with_padding_flag(x, weights, ~real_steps(lengths, x.shape[1]))
    first: Any = tuple(part.unsqueeze(0) for part in state)
    # biases (without them there are two weights, or three with a projection), layers, dropout, training (cuDNN keeps
    # what the backward pass needs only if it is told so), both directions, batch first
    options = (len(weights) > 3, 1, 0.0, torch.is_grad_enabled(), False, True)
    run = getattr(_VF, str(cell.vf))
    y, *parts = run(x, first if len(first) > 1 else first[0], weights, *options)
    last = type(state)(*(part.squeeze(0) for part in parts))
    return y, last if lengths is None else last._replace(h=last_real(y, lengths, state.h))


def _with_padding_flag(x: Tensor, weights: list[Tensor], padded: Tensor) -> tuple[Tensor, list[Tensor]]:
    """One more input to an LSTM, 1 on padded steps, that holds f = 1 and i = 0 there, so that c stays to the bit.

    torch gives no c but the last one, and of a padded row that is the wrong one. The gradients are as exact: through
    f = 1 the gradient of c passes unchanged, and σ' is 0.
    """
    flag = weights[0].new_zeros(len(weights[0]), 1)
    i, f, _, _ = flag.chunk(4)
    i.fill_(-_SATURATE)
    f.fill_(_SATURATE)
    return torch.cat([x, padded.unsqueeze(2).to(x.dtype)], 2), [torch.cat([weights[0], flag], 1), *weights[1:]]


def _check_state(state: State, initial: State, owner: str) -> State:
    if not isinstance(state, tuple) or len(state) != len(initial):
        raise ShapeError(
            f"{owner}: state is {type(state).__name__}, expected {type(initial).__name__}{initial._fields}"
        )
    mixed = torch.is_autocast_enabled(initial[0].device.type)  # then a state may have been left in another dtype
    for name, got, wanted in zip(initial._fields, state, initial, strict=True):
        unlike = got.dtype != wanted.dtype and not mixed
        if got.shape != wanted.shape or unlike or got.device != wanted.device:
            raise ShapeError(
                f"{owner}: state.{name} is {tuple(got.shape)} {got.dtype} on {got.device}, "
                f"expected {tuple(wanted.shape)} {wanted.dtype} on {wanted.device}"
            )
    return type(initial)(*(part.to(initial[0].dtype) for part in state)) if mixed else type(initial)(*state)
