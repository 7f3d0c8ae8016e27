"""What every model can be asked, so that nobody need know which kind it is.

Axes: B rows, O outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.layers.embed import Embedding
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.models._sketch import Sketch
from unrolled.state import State

__all__ = ["Column", "LiveModel", "Model", "Named"]

Column = tuple[Literal["read", "written"], str]  # a side of the model, and the column's name there


class Named(NamedTuple):
    """An embedding, and the name of its weights in the model's ``state_dict``."""

    name: str
    embedding: Embedding


class LiveModel(Protocol):
    """A model that runs live: the state of B rows, and one step of them all."""

    @property
    def state(self) -> State:
        """A copy, which later steps do not change."""

    @state.setter
    def state(self, state: State) -> None: ...

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        """Per column (B,) int64 or (B, W) float32 -> (B, O), which no later push writes over."""


class Model(nn.Module, ABC):
    """A network with its ends: from the columns of a batch to the numbers that a task needs.

    Attributes:
        title: what it is, in a word or two.
        columns: what makes vectors of the input columns.
        layer: what reads these vectors.
        causal: no output depends on a later input.
        writes: its answer is a sequence of its own, which it writes step by step.
        longest_read, longest_written: the most steps of either; ``None``: there is no such number.
        cannot_stream: why it cannot answer step by step, as a sentence; ``None`` if it can.
    """

    title: str
    columns: InputEmbedding
    layer: Layer
    writes: bool
    longest_read: int | None
    longest_written: int | None

    @property
    @abstractmethod
    def causal(self) -> bool: ...

    @property
    @abstractmethod
    def cannot_stream(self) -> str | None: ...

    @abstractmethod
    def run(self, batch: Batch, state: State = None) -> tuple[Any, State]:
        """A batch as the loader makes it, from ``state`` on -> what the task reads, and the state after."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first step of ``batch`` rows; ``None`` where none goes from batch to batch."""

    @abstractmethod
    def session(self, rows: int = 1) -> LiveModel:
        """The model live, with the state of ``rows`` rows inside.

        Raises:
            UsageError: it cannot stream.
        """

    @abstractmethod
    def embeddings(self) -> dict[Column, Named]:
        """The vectors of symbols, of the columns that are read and of the one that is written."""

    @abstractmethod
    def trunk(self) -> dict[str, Tensor]:
        """The weights that a model of another question may begin with; empty where there are none."""

    @abstractmethod
    def begin_step(self, progress: float) -> None:
        """Called before each step of training, of whose budget the share ``progress`` is spent."""

    @abstractmethod
    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Take over what the training data tells before the first step.

        Args:
            prior: (O,), where the bias of the head begins; ``None``: where it is.
            longest: the most symbols of an answer.
            candidates: how many items a step of training compares with; 0: all of them.
        """

    @abstractmethod
    def sketch(self) -> Sketch:
        """What a drawing shows of it."""
