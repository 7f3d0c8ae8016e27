"""Run a cell over a sequence with `unroll`; every layer of cells uses it.

It chooses between three paths that agree to rounding: the plain loop, which is the definition; torch's own loop
(``torch._VF``), which is faster but only has some cells; and on a CPU the kernels, which are faster still and skip
padding. For a cell whose gates see only the input, all gates are computed first, then a `scan`. Under a watcher it is
the plain loop, because only there each gate is at hand before it is used; or the kernels, if nobody changes a value.
Axes: B rows, T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from unrolled.cells._diagonal import DiagonalCell, is_diagonal
from unrolled.cells.cell import Cell, FusedCell, check_input, is_fused, is_mixed, one_weight
from unrolled.errors import ShapeError, UsageError
from unrolled.kernels.fused import fits, recurrence, suits, unwatched
from unrolled.kernels.minimal import GATES, minimal
from unrolled.kernels.plain import plain, plain_scan, plain_step
from unrolled.layers.lengths import check_lengths, real_steps, reverse_rows, zero_padding
from unrolled.layers.recurrence.at_once import shown_at_once
from unrolled.layers.recurrence.recomputation import Recompute, chunk_steps, in_chunks
from unrolled.state import State, map_state, where
from unrolled.watch import Owner, turned, watched

__all__ = ["has_recurrent_weights", "unroll"]

_SEQUENCE = (tuple, list)
_Step = Callable[[Tensor, State], tuple[Tensor, State]]


def unroll(
    cell: Cell,
    x: Tensor,
    lengths: Tensor | None = None,
    state: State = None,
    *,
    reverse: bool = False,
    recompute: Recompute = None,
    kept: Tensor | None = None,
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
        kept: (B, H), what h is multiplied by in each product with the recurrent weights, for recurrent dropout; only
            for a cell with a fused implementation of such products, and step by step in torch.

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
    initial = cell.initial_state(x.shape[0], x)
    if state is None:
        state = initial
    else:
        state = _as_initial(state, initial, owner, is_mixed(x.device))
    if x.shape[1] == 0:
        return x.new_zeros(x.shape[0], 0, cell.hidden_size), state
    if watched():
        quick = None if kept is not None else shown_at_once(cell, _owner(cell), x, lengths, state, reverse)
        return _defined(cell, x, lengths, state, reverse, kept) if quick is None else quick
    size = chunk_steps(recompute, x.shape[1])
    if kept is not None:
        return _dropped(cell, x, lengths, state, reverse, kept)
    if is_fused(cell) and fits(cell.kernel, x, weights := cell.weights()) and (size is None or unwatched(x)):
        y, parts = recurrence(str(cell.kernel), x, lengths, weights, state, reverse=reverse, recompute=size)
        return y, type(state)(*parts)
    if size is not None:
        return in_chunks(partial(unroll, cell, reverse=reverse), x, lengths, state, size, reverse=reverse)
    if is_diagonal(cell):
        return _diagonal(cell, x, lengths, state, reverse)
    if is_fused(cell):
        y, parts = plain(str(cell.kernel), x, lengths, cell.weights(), state, reverse)
        return y, type(state)(*parts)
    return _defined(cell, x, lengths, state, reverse, None)


def _dropped(
    cell: Cell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool, kept: Tensor
) -> tuple[Tensor, State]:
    """Run a cell with recurrent dropout."""
    kind, weights = _recurrent_weights(cell)
    y, parts = plain(kind, x, lengths, weights, state, reverse, kept)
    return y, type(state)(*parts)


def _recurrent_weights(cell: Cell) -> tuple[str, list[Tensor]]:
    if not has_recurrent_weights(cell):
        raise UsageError(f"recurrent_dropout: {type(cell).__name__} has no recurrent weights that we know of")
    return str(cell.kernel), cell.weights()


def has_recurrent_weights(cell: Cell) -> TypeGuard[FusedCell]:
    """Whether ``cell`` has a fused implementation with a product of h and recurrent weights, which can be dropped."""
    return is_fused(cell) and cell.kernel not in GATES


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


def _defined(
    cell: Cell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool, kept: Tensor | None
) -> tuple[Tensor, State]:
    """The definition, in either direction."""
    x = zero_padding(x, lengths)
    if reverse:
        x = reverse_rows(x, lengths)
    y, last = _loop(cell if kept is None else _with_dropout(cell, kept), x, lengths, state)
    if reverse:
        turned(_owner(cell), lengths)
    y = zero_padding(y, lengths)
    return reverse_rows(y, lengths) if reverse else y, last


def _with_dropout(cell: Cell, kept: Tensor) -> _Step:
    """One step of ``cell`` with recurrent dropout."""
    kind, weights = _recurrent_weights(cell)

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        after = type(state)(*plain_step(kind, _owner(cell), x, weights, state, kept))
        return after[0], after

    return step


def _owner(cell: Cell) -> Owner:
    """Whom watchers are told: the cell, or what it names as its owner because it is no module."""
    return cell if isinstance(cell, nn.Module) else getattr(cell, "owner", None)


def _loop(step: _Step, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
    """One step after another; at padding the state is kept."""
    real = None if lengths is None else real_steps(lengths, x.shape[1])
    ys = []
    for t, x_t in enumerate(x.unbind(1)):
        y_t, after = step(x_t, state)
        state = after if real is None else where(real[:, t], after, state)
        ys.append(y_t)
    return torch.stack(ys, 1), state


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
