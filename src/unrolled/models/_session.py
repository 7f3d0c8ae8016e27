"""Live sessions of a network: embed one step, run the layer, answer, with little overhead.

Axes: B rows, I width of the embedded input, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.layers.embed import Embedding
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.layers.pooling import PoolState
from unrolled.layers.recurrence.live_steps import PackedSteps, packable
from unrolled.layers.recurrent import Recurrent
from unrolled.state import State

__all__ = ["NetworkState", "PackedSession", "PlainSession", "packed_steps"]


class NetworkState(NamedTuple):
    """The state of a network.

    Attributes:
        layer: its layer's state.
        pool: with one answer per row, what has been pooled so far.
        sides: (B, D), the vectors of the side sequences; ``None`` without any.
    """

    layer: State
    pool: State
    sides: Tensor | None = None


Step = Callable[[dict[str, Tensor], NetworkState], tuple[Tensor, NetworkState]]


def packed_steps(
    owner: object, layer: Layer, state: State, rows: int, head: tuple[Tensor, Tensor]
) -> PackedSteps | None:
    """Run ``layer`` and ``head`` step by step in the kernels; ``None`` if the kernels do not have its cells.

    The kernels keep a copy of the current weights.

    Args:
        owner: the module that has the weights; all its sessions share one packed copy.
        layer: the layer to run.
        state: the layer's state before the first step.
        rows: B.
        head: weight and bias.
    """
    if not isinstance(layer, Recurrent):
        return None
    cells = [cell for (cell,) in layer.layers]
    if not packable(cells) or head[0].dtype != cells[0].weights()[0].dtype:
        return None
    return PackedSteps(owner, cells, state, rows, head)


class PlainSession:
    """A live session that calls the network's own ``step``.

    Args:
        step: ``outputs, state = step(inputs, state)``.
        state: the state before the first step.
    """

    def __init__(self, step: Step, state: NetworkState) -> None:
        self._step, self.state = step, state

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        """One step of each row."""
        with torch.no_grad():
            outputs, self.state = self._step(inputs, self.state)
        return outputs


class PackedSession:
    """A live session that runs in the kernels; a row's answer is that of its last step.

    Args:
        columns: embeds the inputs.
        steps: the packed layer and head.
        pool: the pooling state before the first step, if each row has one answer.
    """

    def __init__(self, columns: InputEmbedding, steps: PackedSteps, pool: PoolState | None) -> None:
        self._columns, self._steps, self._pool = columns, steps, pool
        embeddings = list(columns.embeddings)
        only = embeddings[0] if len(embeddings) == 1 and steps.rows == 1 else None
        self._name, self._symbols = next(iter(columns.specs)), only if isinstance(only, Embedding) else None

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        """One step of each row."""
        y = self._step(inputs)
        if self._pool is not None:
            self._pool = self._pool._replace(steps=self._pool.steps + 1)
        return y

    def _step(self, inputs: dict[str, Tensor]) -> Tensor:
        if self._symbols is not None:
            # The kernel reads the embedding's row in place: nothing is copied.
            return self._steps.step_row(self._symbols.weight, _number(inputs[self._name], self._symbols)).unsqueeze(0)
        with torch.no_grad():
            x = self._columns.step(inputs).contiguous()  # (B, I)
        if self._steps.rows == 1:
            return self._steps.step_row(x).unsqueeze(0)
        return self._steps.step(x)

    @property
    def state(self) -> NetworkState:
        """A copy of the state, which later steps do not change."""
        layer = self._steps.state
        # Pooling is 'last' here, so its value is the h of the last layer.
        pool = None if self._pool is None else PoolState(layer[-1].h.clone(), self._pool.steps.clone())
        return NetworkState(layer, pool)

    @state.setter
    def state(self, state: NetworkState) -> None:
        self._steps.state = state.layer
        self._pool = state.pool


def _number(symbol: Tensor, embedding: Embedding) -> int:
    """The row of ``embedding`` for ``symbol`` (1,)."""
    number = int(symbol)
    if not 0 <= number < embedding.size:
        raise ShapeError(f"Embedding: x[0] is {number}, expected 0 … {embedding.size - 1}")
    return number
