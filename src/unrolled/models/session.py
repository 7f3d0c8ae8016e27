"""A network that runs live: embed, step, answer, with as little as possible between them.

Axes: B rows, I width of the embedded input, O outputs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from unrolled.errors import ShapeError
from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedding
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.layers.live_steps import PackedSteps, packable
from unrolled.layers.pooling import Pooling, PoolState
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.tied import TiedHead
from unrolled.models.model import LiveModel
from unrolled.state import State

__all__ = ["NetworkState", "network_session"]


class NetworkState(NamedTuple):
    """What a network remembers: its layer's state and, where many steps give one answer, what was pooled so far."""

    layer: State
    pool: State


class _Network(Protocol):
    """What a session needs of a network."""

    columns: InputEmbedding
    layer: Layer
    pooling: Pooling | None
    head: nn.Linear | CRF | TiedHead
    training: bool

    @property
    def head_weight(self) -> Tensor: ...

    def initial_state(self, batch: int) -> NetworkState: ...

    def step(self, inputs: dict[str, Tensor], state: NetworkState) -> tuple[Tensor, NetworkState]: ...


def network_session(network: _Network, rows: int) -> LiveModel:
    """A session of ``rows`` rows; by the kernels where they have the cells and a row's answer is that of its last step.

    The kernels keep the weights as they are now. In training mode the network's own ``step`` runs, which drops.
    """
    pooled_otherwise = network.pooling is not None and network.pooling.kind != "last"
    layer = network.layer
    if isinstance(layer, Recurrent) and not (network.training or pooled_otherwise):
        cells = [cell for (cell,) in layer.layers]
        head = (network.head_weight, network.head.bias)
        if packable(cells) and head[0].dtype == cells[0].weights()[0].dtype:
            state = network.initial_state(rows)
            return _Packed(network, PackedSteps(network, cells, state.layer, rows, head), state.pool)
    return _Plain(network, rows)


class _Plain:
    def __init__(self, network: _Network, rows: int) -> None:
        self._network, self.state = network, network.initial_state(rows)

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        with torch.no_grad():
            outputs, self.state = self._network.step(inputs, self.state)
        return outputs


class _Packed:
    def __init__(self, network: _Network, steps: PackedSteps, pool: PoolState | None) -> None:
        self._network, self._steps, self._pool = network, steps, pool
        embeddings = list(network.columns.embeddings)
        only = embeddings[0] if len(embeddings) == 1 and steps.rows == 1 else None
        self._name, self._symbols = next(iter(network.columns.specs)), only if isinstance(only, Embedding) else None

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        y = self._step(inputs)
        if self._pool is not None:
            self._pool = self._pool._replace(steps=self._pool.steps + 1)
        return y

    def _step(self, inputs: dict[str, Tensor]) -> Tensor:
        if self._symbols is not None:
            return self._steps.step_row(self._address_of(inputs[self._name], self._symbols)).unsqueeze(0)
        with torch.no_grad():
            x = self._network.columns.step(inputs).contiguous()  # (B, I)
        if self._steps.rows == 1:
            return self._steps.step_row(x.data_ptr()).unsqueeze(0)
        return self._steps.step(x)

    @staticmethod
    def _address_of(symbol: Tensor, embedding: Embedding) -> int:
        """Where the vector of ``symbol`` (1,) lies: nothing need be copied."""
        number = int(symbol)
        if not 0 <= number < embedding.size:
            raise ShapeError(f"Embedding: x[0] is {number}, expected 0 … {embedding.size - 1}")
        weight = embedding.weight
        return weight.data_ptr() + number * weight.stride(0) * weight.itemsize

    @property
    def state(self) -> NetworkState:
        layer = self._steps.state
        # What is pooled is the last answer, which is the last layer's h.
        pool = None if self._pool is None else PoolState(layer[-1].h.clone(), self._pool.steps.clone())
        return NetworkState(layer, pool)

    @state.setter
    def state(self, state: NetworkState) -> None:
        self._steps.state = state.layer
        self._pool = state.pool
