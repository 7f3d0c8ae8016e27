"""The interface of every model, so that training and prediction need not know its kind.

Axes: B rows, O outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import UsageError
from unrolled.layers.embed import Embedding
from unrolled.layers.graph import Value
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.models._sketch import Sketch
from unrolled.models.slots import LivePool
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.state import State

__all__ = ["Column", "LiveModel", "Model", "Named", "Writer"]

Column = tuple[Literal["read", "written"], str]  # a side of the model, and the column's name there


class Named(NamedTuple):
    """An embedding, and the name of its weights in the model's ``state_dict``."""

    name: str
    embedding: Embedding


class LiveModel(Protocol):
    """A model that runs live: it keeps the state of B rows and advances all of them by one step."""

    @property
    def state(self) -> State:
        """A copy of the state, which later steps do not change."""

    @state.setter
    def state(self, state: State) -> None: ...

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        """One step: per column (B,) int64 or (B, W) float32 -> (B, O), which later pushes do not overwrite."""


class Model(nn.Module, ABC):
    """A complete model: from the columns of a batch to the numbers that a task needs.

    Attributes:
        title: the model in a word or two.
        columns: embeds the input columns; ``None`` if there is no network.
        layer: the layer that reads the embedded columns; ``None`` if there is no network.
        causal: no output depends on a later input.
        writes: the answer is a new sequence, written step by step.
        longest_read, longest_written: the longest input and answer, in steps; ``None``: no limit.
        cannot_stream: why it cannot answer step by step, as a sentence; ``None`` if it can.
    """

    title: str
    columns: InputEmbedding | None
    layer: Layer | None
    writes: bool
    longest_read: int | None
    longest_written: int | None

    @property
    def device(self) -> torch.device:
        """Where its weights are, whether they were trained or solved."""
        return next((one.device for one in chain(self.parameters(), self.buffers())), torch.device("cpu"))

    @property
    @abstractmethod
    def causal(self) -> bool:
        """Whether no output depends on a later input."""

    @property
    @abstractmethod
    def cannot_stream(self) -> str | None:
        """Why the model cannot answer step by step, as a sentence; ``None`` if it can."""

    @abstractmethod
    def run(self, batch: Batch, state: State = None) -> tuple[Any, State]:
        """Run a batch from the loader, starting from ``state`` -> the output for the task, and the state after."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first step of ``batch`` rows; ``None`` if no state is carried from batch to batch."""

    @abstractmethod
    def session(self, rows: int = 1) -> LiveModel:
        """A live session of the model, which keeps the state of ``rows`` rows.

        Raises:
            UsageError: it cannot stream.
        """

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """What `run` computes on a batch, as operators.

        Args:
            inputs: as those of a `Batch`.
            lengths: (B,) int64.
            state: the state before, a tree of values; ``None`` where no state is carried.

        Returns:
            The outputs for the task, and the state after, a tree of values.

        Raises:
            UsageError: the model cannot be exported.
        """
        raise UsageError(f"the model {self.title!r} cannot be exported as a graph")

    @abstractmethod
    def pool(self) -> LivePool:
        """Live rows of the model, stepped together; there is one slot, whose state is the first one.

        Raises:
            UsageError: it cannot stream.
        """

    @abstractmethod
    def embeddings(self) -> dict[Column, Named]:
        """The embedding of each discrete column that is read, and of the column that is written."""

    @abstractmethod
    def trunk(self) -> dict[str, Tensor]:
        """The weights that can start a model for another task; empty if none can."""

    @abstractmethod
    def begin_step(self, progress: float, seed: int) -> None:
        """Called before each training step, and before each part of it where a batch is computed in several.

        Args:
            progress: the share of the budget that is spent.
            seed: for what is drawn once for the whole batch.
        """

    def sparse_weights(self) -> list[nn.Parameter]:
        """The weights whose gradients are sparse in training: none, unless a model says otherwise."""
        return []

    @abstractmethod
    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Initialise the model from statistics of the training data, before the first step.

        Args:
            prior: (O,), the first bias of the head; ``None`` leaves it as it is.
            longest: the most symbols of an answer.
            candidates: number of sampled items in the softmax of a training step; 0: all items.
        """

    @abstractmethod
    def silence(self) -> None:
        """Make every output 0, so that its sum with another model starts at the outputs of the other.

        Raises:
            UsageError: its outputs cannot be added to others.
        """

    def write_step(self, program: Program) -> Vector:
        """Write a step that reads ``program.inputs``, and return its outputs (O,), those of `session`.

        Raises:
            UsageError: it has no step of a fixed size; so it is unless a model says otherwise.
        """
        raise UsageError(f"a model of the kind {self.title!r} has no plain step, so it cannot be exported to C")

    @abstractmethod
    def sketch(self) -> Sketch:
        """The layers that a drawing of the model shows."""


@runtime_checkable
class Writer(Protocol):
    """A model that reads a sequence whole and then writes another one, symbol by symbol.

    Attributes:
        longest: () int64, the most symbols that an answer had in training.
    """

    longest: Tensor

    def run(self, batch: Batch, state: State = None) -> tuple[Any, State]:
        """As `Model.run`: the output has ``start.state``, the state before the first symbol."""

    def graph_of_reading(self, inputs: dict[str, Value], lengths: Value) -> Any:
        """The state before the first symbol, a tree of values."""

    def graph_of_writing(self, symbols: Value, state: Any) -> tuple[Value, Value | None, Any]:
        """The last written ``symbols`` (B,) -> scores (B, V) of the next ones, attention (B, S), the state after."""
