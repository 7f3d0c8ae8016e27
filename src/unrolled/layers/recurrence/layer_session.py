"""Live sessions of a layer. Axes: B rows, I inputs, O outputs, N sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unrolled.cells.cell import Cell
from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.layers.recurrence.live_steps import PackedSteps, PlainSteps, Steps, packable, step_together
from unrolled.state import State, flatten, from_bytes, to_bytes

__all__ = ["LayerSession", "layer_session", "push_together", "reads_the_future"]


class LayerSession:
    """A live session of a layer: it keeps the state, and ``push`` takes one step.

    ::

        y_t, s_t = layer(x_t, s_{t-1})

    If all cells of the layer have a kernel, the weights are packed once, and a push is one call of the kernels;
    otherwise it calls the layer's own ``step``. Either way it keeps no gradients and applies no dropout. The weights
    are packed when the session is made: after further training, make a new session. A session is for one thread at a
    time; several sessions of one layer may run in several threads.

    A layer's ``session()`` makes one.

    Shape:
        ``push``: x (I,) -> y (O,), or with ``batch`` (B, I) -> (B, O), with the dtype and device of the weights.
        Later pushes do not overwrite y.

    Raises:
        UsageError: the layer is bidirectional or not causal, or is in training mode with dropout.
        ShapeError: x does not fit; the state is unchanged.
        ModelError: a snapshot of another layer, or with another number of rows.

    Cost:
        one step of the layer, plus about a microsecond for a small layer. Outputs for single rows are allocated 32 at a
        time; keeping one of them keeps the memory of all 32.

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
        """Take one step and return its output."""
        row = self._row
        if row and x.shape == self._shape and x.dtype is self._dtype and x.is_cpu and x.is_contiguous():
            return row(x)
        self.check(x, self._shape)
        return self.steps.step(x) if x.dim() == 2 else self.steps.step(x.unsqueeze(0)).squeeze(0)

    def check(self, x: Tensor, shape: tuple[int, ...]) -> None:
        """Raise a `ShapeError` unless ``x`` is a step with this shape."""
        if x.shape != shape or x.dtype != self._dtype or x.device != self._device:
            raise ShapeError(
                f"{type(self.layer).__name__}: x is {tuple(x.shape)} {x.dtype} on {x.device}, "
                f"expected {tuple(shape)} {self._dtype} on {self._device}"
            )

    def snapshot(self) -> bytes:
        """The state as the bytes of a safetensors file; `restore` resumes from it, here or on another machine."""
        return to_bytes(self.steps.state)

    def restore(self, snapshot: bytes) -> None:
        """Resume from ``snapshot``, taken by a session of a layer with the same weights."""
        state, _ = from_bytes(snapshot, self.steps.state)
        rows = {len(part) for _, part in flatten(state)}
        if rows - {self.steps.rows}:
            raise ModelError(f"the snapshot has {max(rows)} rows, expected {self.steps.rows}")
        self.steps.state = state


def push_together(sessions: Sequence[LayerSession], x: Tensor) -> Tensor:
    """One step of many sessions of one layer, in one call: ``x`` (N, I) -> ``y`` (N, O), session by session.

    Single pushes give the same result; one call reads each weight only once.

    Raises:
        UsageError: no sessions, the same session twice, sessions of several layers, or made before and after training.
        ShapeError: x does not fit.

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> layer = Recurrent(3, 8)
        >>> users = [layer.session() for _ in range(4)]
        >>> push_together(users, torch.randn(4, 3)).shape
        torch.Size([4, 8])
    """
    if not sessions or len({id(session) for session in sessions}) < len(sessions):
        raise UsageError("push_together needs at least one session, and each session only once")
    first = sessions[0]
    if any(session.layer is not first.layer for session in sessions):
        raise UsageError("push_together needs sessions of the same layer")
    if len({id(s.steps.stack) for s in sessions if isinstance(s.steps, PackedSteps)}) > 1:
        raise UsageError(
            "push_together needs sessions with the same weights: make new sessions after the weights have changed"
        )
    rows = sum(session.steps.rows for session in sessions)
    first.check(x, (rows, first.input_size))
    return step_together([session.steps for session in sessions], x)


def layer_session(
    layer: nn.Module,
    batch: int | None,
    like: Tensor,
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    initial_state: Callable[[int, Tensor], State],
    cells: Sequence[Cell] = (),
) -> LayerSession:
    """A new session of ``layer``, run by the kernels if they have its ``cells``.

    Args:
        layer: the layer; it has an ``input_size``.
        batch: B ≥ 1, or ``None`` for one row without a batch axis.
        like: gives dtype and device.
        step: ``y, state = step(x, state)``.
        initial_state: ``state = initial_state(rows, like)``.
        cells: one cell per layer, if the layer is made of cells.

    Raises:
        UsageError: the layer is in training mode with dropout, or ``batch`` is below 1.
    """
    if batch is not None and batch < 1:
        raise UsageError(f"batch must be at least 1, got {batch}")
    if layer.training and any(isinstance(part, nn.Dropout) and part.p > 0 for part in layer.modules()):
        raise UsageError(f"{type(layer).__name__} is in training mode, with dropout: call eval() before session()")
    rows = 1 if batch is None else batch
    state = initial_state(rows, like)
    steps: Steps
    if cells and packable(cells):
        steps = PackedSteps(layer, cells, state, rows)
    else:
        steps = PlainSteps(step, state, rows)
    return LayerSession(layer, steps, cast(int, layer.input_size), batch, like)


def reads_the_future(what: str) -> UsageError:
    """The error for a step or a state given to a layer that sees later steps."""
    return UsageError(
        f"{what} sees later steps, so it cannot run step by step or in chunks: "
        "give it whole rows, or choose the same model without 'bi'"
    )
