"""Show all steps of a cell at once, at the speed of the kernels, to a watcher that only looks.

Axes: B rows, T steps, I inputs, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.cells._diagonal import is_diagonal
from unrolled.cells.cell import Cell, is_fused
from unrolled.kernels.fused import suits, unwatched
from unrolled.kernels.gates import KEPT, gates, keeps
from unrolled.kernels.minimal import GATES, minimal
from unrolled.layers.lengths import zero_padding
from unrolled.state import State
from unrolled.watch import Owner, only_looks, show_steps, wanted

__all__ = ["shown_at_once"]


def shown_at_once(
    cell: Cell, owner: Owner, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, State] | None:
    """`unroll`, with the values in the order of the row; ``None`` where only the definition can show them.

    The kernels show no value before it is used, and keep no graph: so nobody may change a value or need its gradient.

    Args:
        cell, x, lengths, state, reverse: as for `unroll`, checked.
        owner: whose gates and state are shown.
    """
    if not only_looks() or torch.is_grad_enabled() or not is_fused(cell):
        return None
    kind, weights = str(cell.kernel), cell.weights()
    size = x.shape[0] * x.shape[1] * cell.hidden_size * x.element_size()
    if keeps(kind, x, weights):
        names = [name for name in KEPT[kind] if wanted(owner, name, size)]
        y, parts, values = gates(kind, x, lengths, weights, state, reverse, names)
        show_steps(owner, " ".join(values), *values.values())
    elif kind in GATES and is_diagonal(cell) and suits(x) and unwatched(x):
        weight, bias = weights
        y, h = minimal(kind, x, lengths, weight, bias, state.h, reverse)
        parts = (h,)
        if any(wanted(owner, name, size) for name in cell.gates):
            show_steps(owner, " ".join(cell.gates), *cell.shares(zero_padding(x, lengths)))
    else:
        return None
    show_steps(owner, "h", y)
    return y, type(state)(*parts)
