"""One step at a time: a layer's live session, packed weights and state together.

Axes: B rows, I inputs, O outputs, N sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from unrolled.cells.cell import Cell
from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.kernels.stepping import LINEAR, Part, fits, packed
from unrolled.state import State, flatten, from_bytes, map_state, to_bytes

__all__ = ["LayerSession", "PackedSteps", "PlainSteps", "Steps", "layer_session", "push_together", "step_together"]

_SPARE = 32  # answers that are allocated together: one by one they would cost as much as a small step


class Steps(Protocol):
    """The state of B rows, and one step of them all."""

    @property
    def state(self) -> State:
        """A copy, which later steps do not change."""

    @state.setter
    def state(self, state: State) -> None: ...

    @property
    def rows(self) -> int:
        """B."""

    def step(self, x: Tensor) -> Tensor:
        """``x`` (B, I) -> a new ``y`` (B, O)."""


class PlainSteps:
    """Steps of any layer, by its own ``step``.

    Args:
        step: ``y, state = step(x, state)``.
        state: the first.
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
    """Steps of cells that the kernels have: all layers, and perhaps a head, in one call.

    Args:
        owner: the module whose weights these are; its sessions share the packed ones.
        cells: one a layer.
        state: the first: one cell's state a layer, each part (B, H).
        rows: B.
        head: weight and bias of a linear map of the last layer's answer.
    """

    def __init__(
        self, owner: nn.Module, cells: Sequence[Cell], state: State, rows: int, head: Sequence[Tensor] | None = None
    ) -> None:
        parts = [Part(str(cell.vf), cell.weights()) for cell in cells]
        self.stack = packed(owner, parts if head is None else [*parts, Part(LINEAR, head)])
        self.rows, self._like = rows, state
        self.lines, self._spare = self.stack.lines(self.rows), list[Tensor]()
        self.address = self.lines.data_ptr()
        self.state = state

    @property
    def state(self) -> State:
        """A copy, which later steps do not change."""
        views = iter(self.stack.views(self.lines))
        return map_state(lambda _: next(views).clone(), self._like)

    @state.setter
    def state(self, state: State) -> None:
        views = iter(self.stack.views(self.lines))
        map_state(lambda part: next(views).copy_(part), state)

    def step(self, x: Tensor) -> Tensor:
        """One step of all rows."""
        x = x.contiguous()
        y = torch.empty(self.rows, self.stack.outputs, dtype=x.dtype)
        self.stack.step(self.rows, x.data_ptr(), x.shape[1], self.address, y.data_ptr())
        return y

    def step_row(self, x: int) -> Tensor:
        """One step of a single row, whose input begins at the address ``x``; (O,)."""
        if not self._spare:
            self._spare = list(torch.empty(_SPARE, self.stack.outputs, dtype=self.stack.dtype).unbind())
        y = self._spare.pop()
        self.stack.step(1, x, 0, self.address, y.data_ptr())
        return y


def packable(cells: Sequence[Cell]) -> bool:
    """Whether the kernels have all of them."""
    return all(fits(cell.vf, cell.weights()) for cell in cells)


def step_together(several: Sequence[Steps], x: Tensor) -> Tensor:
    """One step of all rows of ``several``, which are of one layer: ``x`` (ΣB, I) -> ``y`` (ΣB, O).

    Rows that the kernels step are not copied together and apart again: each is found where it lies.
    """
    if all(isinstance(one, PackedSteps) for one in several):
        return _together(cast("Sequence[PackedSteps]", several), x)
    first = cast(PlainSteps, several[0])
    joined = map_state(lambda *parts: torch.cat(parts), *(one.state for one in several))
    all_rows = PlainSteps(first.run, joined, len(x))
    y, row = all_rows.step(x), 0
    for one in several:
        one.state = map_state(lambda part, own=slice(row, row + one.rows): part[own], all_rows.state)
        row += one.rows
    return y


def _together(several: Sequence[PackedSteps], x: Tensor) -> Tensor:
    x, stack = x.contiguous(), several[0].stack
    y = torch.empty(len(x), stack.outputs, dtype=x.dtype)
    line = stack.width * x.itemsize
    lines = [one.address + row * line for one in several for row in range(one.rows)]
    of_x, of_y = (range(t.data_ptr(), t.data_ptr() + t.nbytes, t.shape[1] * t.itemsize) for t in (x, y))
    stack.step_apart(of_x, lines, of_y)
    return y


class LayerSession:
    """A layer that runs live: its state stays here, and ``push`` takes one step.

    ::

        y_t, s_t = layer(x_t, s_{t-1})

    Where the kernels have the layer's cells, the weights are packed once, and a push is one call of theirs; elsewhere it
    is the layer's own ``step``. Either way it keeps no gradients and runs without dropout. The packed weights are those
    of the moment when the session was made: after training on, make a new one. A session is for one thread at a time;
    several sessions of one layer may run in several threads.

    Made by a layer's ``session()``.

    Shape:
        ``push``: x (I,) -> y (O,), or with ``batch`` (B, I) -> (B, O), of the dtype and on the device of the weights.
        No later push writes over y.

    Raises:
        UsageError: the layer reads the future, or is in training mode and would drop.
        ShapeError: x does not fit; the session is as it was.
        ModelError: a snapshot of another layer, or of another number of rows.

    Cost:
        one step of the layer, and of a small layer about a microsecond beside it.

    References:
        Appleyard, Kociský and Blunsom 2016, https://arxiv.org/abs/1604.01946

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> layer, x = Recurrent(3, 8, cell="gru"), torch.randn(5, 3)
        >>> live = layer.session()
        >>> ys = torch.stack([live.push(step) for step in x])
        >>> torch.allclose(ys, layer(x[None])[0][0], atol=1e-6)
        True
    """

    def __init__(self, layer: nn.Module, steps: Steps, input_size: int, batch: int | None, like: Tensor) -> None:
        self.layer, self.steps, self.input_size = layer, steps, input_size
        self._shape = torch.Size([input_size] if batch is None else [batch, input_size])
        self._dtype, self._device = like.dtype, like.device
        self._row = steps.step_row if batch is None and isinstance(steps, PackedSteps) else None

    def push(self, x: Tensor) -> Tensor:
        """Take one step and answer it."""
        if x.shape != self._shape or x.dtype is not self._dtype or x.device != self._device:
            self.check(x, self._shape)
        if self._row is not None:
            return self._row((x if x.is_contiguous() else x.contiguous()).data_ptr())
        return self.steps.step(x) if x.dim() == 2 else self.steps.step(x.unsqueeze(0)).squeeze(0)

    def check(self, x: Tensor, shape: tuple[int, ...]) -> None:
        """Raise a `ShapeError` unless ``x`` is a step of that shape."""
        if x.shape != shape or x.dtype != self._dtype or x.device != self._device:
            raise ShapeError(
                f"{type(self.layer).__name__}: a step is {tuple(x.shape)} {x.dtype} on {x.device}, "
                f"expected {tuple(shape)} {self._dtype} on {self._device}"
            )

    def snapshot(self) -> bytes:
        """The state as a safetensors file; `restore` goes on from it, here or elsewhere."""
        return to_bytes(self.steps.state, {"layer": type(self.layer).__name__})

    def restore(self, snapshot: bytes) -> None:
        """Go on from ``snapshot``, which a session of a layer with the same weights took."""
        like = self.steps.state
        state, meta = from_bytes(snapshot, like)
        if meta.get("layer") != (own := type(self.layer).__name__):
            raise ModelError(f"this snapshot is of {meta.get('layer')}, expected {own}")
        rows = {len(part) for _, part in flatten(state)}
        if rows - {self.steps.rows}:
            raise ModelError(f"this snapshot is of {max(rows)} rows, expected {self.steps.rows}")
        self.steps.state = state


def push_together(sessions: Sequence[LayerSession], x: Tensor) -> Tensor:
    """One step of many sessions of one layer, in one call: ``x`` (N, I) -> ``y`` (N, O), session by session.

    As many single pushes would give the same; together, each weight is read once.

    Raises:
        UsageError: no sessions, the same one twice, or sessions of several layers.
        ShapeError: x does not fit.

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> layer = Recurrent(3, 8)
        >>> users = [layer.session() for _ in range(4)]
        >>> push_together(users, torch.randn(4, 3)).shape
        torch.Size([4, 8])
    """
    if not sessions or len({id(session) for session in sessions}) < len(sessions):
        raise UsageError("push_together needs sessions, each of them once")
    first = sessions[0]
    if any(session.layer is not first.layer for session in sessions):
        raise UsageError("push_together needs sessions of one layer")
    rows = sum(session.steps.rows for session in sessions)
    first.check(x, (rows, first.input_size))
    return step_together([session.steps for session in sessions], x)


def layer_session(layer: Steppable, batch: int | None, like: Tensor, cells: Sequence[Cell] = ()) -> LayerSession:
    """A session of ``layer``, by the kernels if they have its ``cells``.

    Args:
        layer: what steps.
        batch: B ≥ 1, or ``None`` for one row without an axis for it.
        like: gives dtype and device.
        cells: the layer as one cell a layer, if it is made of cells.

    Raises:
        UsageError: it reads the future, is in training mode and drops, or ``batch`` is below 1.
    """
    if batch is not None and batch < 1:
        raise UsageError(f"batch must be at least 1, got {batch}")
    if layer.training and any(isinstance(part, nn.Dropout) and part.p > 0 for part in layer.modules()):
        raise UsageError(f"{type(layer).__name__} is in training mode and would drop: call eval() before session()")
    rows = 1 if batch is None else batch
    state = layer.initial_state(rows, like)
    steps: Steps
    if cells and packable(cells):
        steps = PackedSteps(layer, cells, state, rows)
    else:
        steps = PlainSteps(layer.step, state, rows)
    return LayerSession(layer, steps, layer.input_size, batch, like)
