"""Models without memory: the answer is the same at every step, or is looked up by what the step holds.

Axes: B rows, T steps, K labels or channels, O outputs.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value
from unrolled.layers.lengths import real_steps
from unrolled.models._mixing import Outputs
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["Constant", "Lookup", "log_odds_of", "potentials"]


class Lookup(SolvedModel):
    """An answer to each step that depends on this step alone."""

    @abstractmethod
    def answer(self, inputs: dict[str, Tensor]) -> Tensor:
        """(..., O): the outputs for steps with these inputs, per column (...) int64 or (..., W) float32."""

    def initial_state(self, batch: int) -> None:
        """None: nothing is remembered."""

    def run(self, batch: Batch, state: State = None) -> tuple[Outputs, State]:
        """The outputs (B, T, O), 0 beyond each row's length."""
        outputs = self.answer(batch.inputs)
        return outputs * real_steps(batch.lengths, outputs.shape[1])[..., None], None

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """The outputs (B, O)."""
        return self.answer(inputs), None


class Constant(Lookup):
    """The same answer to every row or step."""

    outputs: Tensor  # (O,)

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._timed = None if task.pooled else next(name for name, spec in task.coder.specs.items() if spec.time)
        self.register_buffer("outputs", torch.zeros(task.outputs))

    @staticmethod
    @abstractmethod
    def counted(task: Task, train: Examples) -> Tensor:
        """(O,) the outputs, counted on the training split."""

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Count; nothing is drawn at random."""
        model = cls(task, options)
        model.outputs.copy_(cls.counted(task, train))
        return model

    def answer(self, inputs: dict[str, Tensor]) -> Tensor:
        """(B, O)."""
        return self.outputs.expand(len(next(iter(inputs.values()))), -1)

    def run(self, batch: Batch, state: State = None) -> tuple[Outputs, State]:
        """The outputs (B, O) for each row, or (B, T, O) for each step."""
        if self._timed is None:
            return self.outputs.expand(len(batch.lengths), -1), None
        real = real_steps(batch.lengths, batch.inputs[self._timed].shape[1])
        return self.outputs * real[..., None], None

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        outputs = lengths.graph.constant(self.outputs, np.float32)
        steps = () if self._timed is None else (inputs[self._timed].size(1),)
        return outputs.expand(lengths.size(0), *steps, len(self.outputs)), None


def potentials(logs: Tensor, chain: bool) -> Tensor:
    """(..., O): log probabilities (..., K) as outputs of a task with a label at each step, in a ``chain`` or not."""
    return logs.repeat(*(1 for _ in logs.shape[:-1]), logs.shape[-1] + 1) if chain else logs


def log_odds_of(chances: np.ndarray) -> Tensor:
    """The logarithms of p / (1 - p)."""
    return torch.from_numpy(np.log(chances) - np.log1p(-chances))
