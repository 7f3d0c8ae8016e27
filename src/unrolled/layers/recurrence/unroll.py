"""Run a cell over a sequence with `unroll`; every layer of cells uses it.

It chooses between three paths that agree to rounding: the plain loop, which is the definition; torch's own loop
(``torch._VF``), which is faster but only has some cells; and on a CPU the kernels, which are faster still and skip
padding. For a cell whose gates see only the input, all gates are computed first, then a `scan`.
Axes: B rows, T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import _VF, Tensor

from unrolled.cells._diagonal import DiagonalCell
from unrolled.cells.cell import Cell, FusedCell, check_input, is_fused, is_mixed, one_weight
from unrolled.errors import ShapeError
from unrolled.kernels.fused import fits, recurrence, suits, unwatched
from unrolled.kernels.minimal import GATES, minimal
from unrolled.layers.lengths import check_lengths, last_real, real_steps, reverse_rows, zero_padding
from unrolled.layers.recurrence.diagonal_scan import plain_scan
from unrolled.layers.recurrence.recomputation import Recompute, chunk_steps, in_chunks
from unrolled.state import State, map_state, where

__all__ = ["unroll"]

_SEQUENCE = (tuple, list)
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
        cell: a member of ``cells/``, or your own.
        x: the inputs.
        lengths: (B,) integers, 0 … T; ``None``: every step is real. What lies beyond a row's length is never read.
        state: the state before the first step; ``None``: `Cell.initial_state`.
        reverse: run from each row's last real step back to its first.
        recompute: n, to save memory on long rows: keep only every n-th state (``"sqrt"``: n = √T, rounded up), and
            compute the steps in between again in the backward pass. The outputs are the same, with the kernels to the
            bit. Without kernels, and under a compiler, each chunk goes through `torch.utils.checkpoint`.

    Shape:
        x (B, T, I) -> y (B, T, H) and the state after each row's last real step (with ``reverse``: its first).

    Raises:
        ShapeError: ``x``, ``lengths`` or ``state`` does not fit.
        UsageError: ``recompute`` out of range.

    Cost:
        That of the cell for each real step; with ``recompute`` the forward pass runs twice. Without kernels T times
        that of the cell: torch's loop runs over padding too, because oneDNN's fast LSTM does not take packed sequences,
        and padding costs less than packing.

    Example:
        >>> from unrolled.cells.gru import GRU
        >>> y, state = unroll(GRU(2, 4), torch.ones(3, 5, 2), torch.tensor([5, 2, 0]))
        >>> y.shape, y[1, 2:].abs().sum().item(), torch.equal(state.h[1], y[1, 1])
        (torch.Size([3, 5, 4]), 0.0, True)
    """
    owner = f"{type(cell).__name__}({cell.input_size}, {cell.hidden_size})"
    check_input(x, "(B, T, I)", cell.input_size, one_weight(cell), owner)
    lengths = check_lengths(lengths, x, owner)
    initial = cell.initial_state(len(x), x)
    if state is None:
        state = initial
    else:
        state = _as_initial(state, initial, owner, is_mixed(x.device))
    if x.shape[1] == 0:
        return x.new_zeros(len(x), 0, cell.hidden_size), state
    size = chunk_steps(recompute, x.shape[1])
    if is_fused(cell) and fits(cell.kernel, x, weights := cell.weights()) and (size is None or unwatched(x)):
        y, parts = recurrence(str(cell.kernel), x, lengths, weights, state, reverse=reverse, recompute=size)
        return y, type(state)(*parts)
    if size is not None:
        return in_chunks(partial(unroll, cell, reverse=reverse), x, lengths, state, size, reverse=reverse)
    if isinstance(cell, DiagonalCell):
        return _diagonal(cell, x, lengths, state, reverse)
    x = zero_padding(x, lengths)
    if reverse:
        x = reverse_rows(x, lengths)
    y, last = _torch_loop(cell, x, lengths, state) if is_fused(cell) else _loop(cell, x, lengths, state)
    y = zero_padding(y, lengths)
    return reverse_rows(y, lengths) if reverse else y, last


def _diagonal(
    cell: DiagonalCell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, State]:
    """Run a cell whose gates see only the input: compute all gates at once, then scan over the steps."""
    if is_fused(cell) and cell.kernel in GATES and suits(x):
        weight, bias = cell.weights()
        y, h_n = minimal(str(cell.kernel), x, lengths, weight, bias, state.h, reverse)
    else:
        y, h_n = plain_scan(*cell.terms(zero_padding(x, lengths)), state.h, lengths, reverse)
    return y, type(state)(h_n)


def _loop(cell: Cell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """The definition: one step after another; at padding the state is kept."""
    real = None if lengths is None else real_steps(lengths, x.shape[1])
    ys = []
    for t, x_t in enumerate(x.unbind(1)):
        y_t, after = cell(x_t, state)
        state = after if real is None else where(real[:, t], after, state)
        ys.append(y_t)
    return torch.stack(ys, 1), state


def _torch_loop(cell: FusedCell, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """Run torch's own loop. It also runs over padding, so the state at each row's end has to be recovered."""
    weights = cell.weights()
    if lengths is not None and cell.kernel == "lstm":
        x, weights = _with_padding_flag(x, weights, ~real_steps(lengths, x.shape[1]))
    first: Any = tuple(part.unsqueeze(0) for part in state)
    # biases (without them there are two weights, or three with a projection), layers, dropout, training (without it
    # cuDNN does not keep what the backward pass needs), both directions, batch first
    options = (len(weights) > 3, 1, 0.0, torch.is_grad_enabled(), False, True)
    run = getattr(_VF, str(cell.kernel))
    y, *parts = run(x, first if len(first) > 1 else first[0], weights, *options)
    last = type(state)(*(part.squeeze(0) for part in parts))
    return y, last if lengths is None else last._replace(h=last_real(y, lengths, state.h))


def _with_padding_flag(x: Tensor, weights: list[Tensor], padded: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Add an input to an LSTM that is 1 at padding and forces f = 1 and i = 0 there, so that c is kept to the bit.

    torch only returns the c after the last padded step. The gradients are exact too: f = 1 passes the gradient of c
    unchanged, and σ' is 0.
    """
    flag = weights[0].new_zeros(len(weights[0]), 1)
    i, f, _, _ = flag.chunk(4)
    i.fill_(-_SATURATE)
    f.fill_(_SATURATE)
    return torch.cat([x, padded.unsqueeze(2).to(x.dtype)], 2), [torch.cat([weights[0], flag], 1), *weights[1:]]


def _as_initial(state: State, initial: State, owner: str, mixed: bool) -> State:
    """``state`` in the form of ``initial``; if ``mixed``, under autocast, its dtype may differ.

    Raises:
        ShapeError: ``state`` has another structure, or a part has another shape, dtype or device.
    """
    _check_form(state, initial, "state", owner, mixed)
    if type(state) is type(initial) and not mixed:
        return state
    return map_state(lambda wanted, got: got.to(wanted.dtype), initial, state)


def _check_form(state: State, initial: State, name: str, owner: str, mixed: bool) -> None:
    if isinstance(initial, Tensor) and isinstance(state, Tensor):
        unlike = state.dtype != initial.dtype and not mixed
        if state.shape != initial.shape or unlike or state.device != initial.device:
            raise ShapeError(
                f"{owner}: {name} is {tuple(state.shape)} {state.dtype} on {state.device}, "
                f"expected {tuple(initial.shape)} {initial.dtype} on {initial.device}"
            )
    elif isinstance(initial, _SEQUENCE) and isinstance(state, _SEQUENCE) and len(state) == len(initial):
        names = getattr(initial, "_fields", range(len(initial)))
        for part, got, wanted in zip(names, state, initial, strict=True):
            _check_form(got, wanted, f"{name}.{part}", owner, mixed)
    elif isinstance(initial, dict) and isinstance(state, dict) and state.keys() == initial.keys():
        for key, wanted in initial.items():
            _check_form(state[key], wanted, f"{name}.{key}", owner, mixed)
    elif state is not None or initial is not None:
        fields = getattr(initial, "_fields", "")
        raise ShapeError(f"{owner}: {name} is {type(state).__name__}, expected {type(initial).__name__}{fields}")
