"""Run a cell and return each gate and state of each step: from the kernels if they keep them, else by watching it.

Axes: B rows, T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from torch import Tensor

from unrolled.cells.cell import FusedCell
from unrolled.kernels.gates import gates, keeps
from unrolled.layers.lengths import zero_padding
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.layers.recurrence.unroll import unroll
from unrolled.state import State
from unrolled.watch import Place, watching

__all__ = ["traced"]


def traced(
    cell: FusedCell, place: Place, x: Tensor, lengths: Tensor | None, state: State, reverse: bool
) -> tuple[Tensor, State, dict[str, Tensor]]:
    """`unroll` without gradients, and the values by path, ``l0.f``, each (B, T, H) and 0 at padding.

    Args:
        cell: one direction of one layer.
        place: where ``cell`` stands in its module.
        x, lengths, state, reverse: as for `unroll`; the lengths are checked.
    """
    state = cell.initial_state(x.shape[0], x) if state is None else state
    weights = cell.weights()
    if keeps(cell.kernel, x, weights):
        y, parts, found = gates(str(cell.kernel), x, lengths, weights, state, reverse)
        return y, type(state)(*parts), {f"{place.name}.{name}": value for name, value in found.items()}
    with watching(recorder := Recorder(place.module)):
        y, last = unroll(cell, x, lengths, state, reverse=reverse)
    return y, last, {path: zero_padding(value, lengths) for path, value in recorder.values().items()}
