"""Step a layer and keep its state: any layer with its own ``step``, the built-in cells with the kernels.

Axes: B rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeGuard, cast

import torch
from torch import Tensor, get_num_threads

from unrolled.cells.cell import Cell, FusedCell, is_fused
from unrolled.kernels.stepping import LINEAR, Part, fits, packed
from unrolled.state import State, concatenate, map_state

__all__ = ["PackedSteps", "PlainSteps", "Steps", "packable", "step_together"]

_SPARE = 32  # outputs allocated together: allocating each one would cost as much as a small step


class Steps(Protocol):
    """The state of B rows, and a step that advances all of them."""

    @property
    def state(self) -> State:
        """A copy of the state, which later steps do not change."""

    @state.setter
    def state(self, state: State) -> None: ...

    @property
    def rows(self) -> int:
        """B."""

    def step(self, x: Tensor) -> Tensor:
        """``x`` (B, I) -> a new ``y`` (B, O)."""


class PlainSteps:
    """Steps of any layer, with its own ``step``.

    Args:
        step: ``y, state = step(x, state)``.
        state: the first state.
        rows: B.
    """

    def __init__(self, step: Callable[[Tensor, State], tuple[Tensor, State]], state: State, rows: int) -> None:
        self.run, self.state, self.rows = step, state, rows

    def step(self, x: Tensor) -> Tensor:
        """One step."""
        with torch.no_grad():
            y, self.state = self.run(x, self.state)
        return y


class PackedSteps:
    """Steps of cells that have a kernel: all layers, and optionally a head, run in one call.

    Args:
        owner: the module that has the weights; all its sessions share one packed copy.
        cells: one cell per layer.
        state: the first state: one cell state per layer, each part (B, H).
        rows: B.
        head: weight and bias of a linear map of the last layer's output.
    """

    def __init__(
        self, owner: object, cells: Sequence[FusedCell], state: State, rows: int, head: Sequence[Tensor] | None = None
    ) -> None:
        parts = [Part(str(cell.kernel), cell.weights()) for cell in cells]
        self.stack = packed(owner, parts if head is None else [*parts, Part(LINEAR, head)])
        self.rows, self._like = rows, state
        self.lines, self._spare = self.stack.lines(self.rows), list[Tensor]()
        self._line, self._row = self.lines.places[0], self.stack.row
        self._x_bytes = self.stack.inputs * self.stack.dtype.itemsize
        self.state = state

    @property
    def state(self) -> State:
        """A copy of the state, which later steps do not change."""
        views = iter(self.stack.views(self.lines.numbers))
        return map_state(lambda _: next(views).clone(), self._like)

    @state.setter
    def state(self, state: State) -> None:
        views = iter(self.stack.views(self.lines.numbers))
        map_state(lambda part: next(views).copy_(part), state)

    def step(self, x: Tensor) -> Tensor:
        """One step of all rows."""
        return self.stack.step(x, self.lines)

    def step_row(self, x: Tensor, row: int = 0) -> Tensor:
        """One step of a single row, whose input is row ``row`` of the contiguous ``x`` (…, I) -> (O,).

        Raises:
            MemoryError: out of memory.
        """
        if not self._spare:
            with torch.inference_mode(False), torch.no_grad():  # some may be handed out after inference mode
                self._spare = list(torch.empty(_SPARE, self.stack.outputs, dtype=self.stack.dtype).unbind())
        y = self._spare.pop()
        if self._row(x.data_ptr() + row * self._x_bytes, self._line, y.data_ptr(), get_num_threads()):
            raise MemoryError("out of memory in a step of 1 row")
        return y


def packable(cells: Sequence[Cell]) -> TypeGuard[Sequence[FusedCell]]:
    """Whether all of ``cells`` have a kernel."""
    return all(is_fused(cell) and fits(cell.kernel, cell.weights()) for cell in cells)


def step_together(several: Sequence[Steps], x: Tensor) -> Tensor:
    """One step of all rows of ``several``, which belong to one layer: ``x`` (ΣB, I) -> ``y`` (ΣB, O).

    The kernels read and write each row's state in place, without copying the states together.
    """
    packed_ones = [one for one in several if isinstance(one, PackedSteps)]
    if len(packed_ones) == len(several):
        return packed_ones[0].stack.step_apart(x, [one.lines for one in packed_ones])
    first = cast(PlainSteps, several[0])
    joined = concatenate([one.state for one in several])
    all_rows = PlainSteps(first.run, joined, len(x))
    y, row = all_rows.step(x), 0
    for one in several:
        one.state = map_state(lambda part, own=slice(row, row + one.rows): part[own], all_rows.state)
        row += one.rows
    return y
