"""One answer of a model on one row: which one is explained, and its score.

Axes: B rows, T steps, U written symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from unrolled.batch import Batch, Spelled
from unrolled.errors import DataError, UsageError
from unrolled.models.model import Model
from unrolled.tasks.task import Task

__all__ = ["Answer", "InputLeaves", "Of", "answer_name", "answer_of", "input_columns", "part_of", "without_dropout"]

Of = Literal["logit", "loss"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is explained.

    Attributes:
        network, task: the model.
        batch: the row, up to the answer where no later step can matter.
        step: the number of the step that is answered at, or of the written symbol; ``None``: the row is.
        of: what its score is: the ``logit`` of what came (`Task.score`), or the ``loss``.
    """

    network: Model
    task: Task
    batch: Batch
    step: int | None
    of: Of

    @property
    def name(self) -> str:
        """The answer in words."""
        if self.step is None:
            return "the answer of the row"
        return f"the written symbol {self.step:,}" if self.network.writes else answer_name(self.step)

    def score(self, outputs: Any, batch: Batch) -> Tensor:
        """(B,): the score of this answer in each row of ``batch``, whose steps may begin later than those of the row.

        Args:
            outputs: what the network computes on ``batch``.
            batch: rows that end where the row of this answer ends.
        """
        if self.step is None or self.network.writes:
            found = self._scores(outputs, batch)
            return found if self.step is None else found[:, self.step]
        at = self.step - int(self.batch.lengths[0]) + int(batch.lengths[0])
        scored = replace(batch, scored=torch.full_like(batch.lengths, at))
        return self._scores(outputs, scored)[:, at]

    def _scores(self, outputs: Any, batch: Batch) -> Tensor:
        if batch.target is None and not isinstance(outputs, Tensor):
            raise no_target()
        return self.task.score(outputs, batch) if self.of == "logit" else self.task.each(outputs, batch)[0]


def answer_of(network: Model, task: Task, batch: Batch, step: int = -1, of: Of = "logit") -> Answer:
    """The answer at ``step`` of a row, or of the row where it has one answer.

    Args:
        network, task: the model.
        batch: one row.
        step: its number, from 0, or from the end if it is negative.
        of: see `Answer`.

    Raises:
        UsageError: the model has no embedded steps, or there is no such step.
        DataError: the score needs a target, and there is none; or the row has no step with an answer.
    """
    if network.columns is None:
        raise UsageError(f"only a network can be asked why it answers so; this model is the {network.title}")
    if not network.columns.timed:
        raise UsageError("this model reads only one step per row, so there are no steps that its answer could rest on")
    if not int(batch.lengths.max()):
        raise DataError("the row has no step that is answered")
    if batch.target is None and (of == "loss" or network.writes or task.chain):
        raise no_target()
    whole = task.pooled or task.chain or (batch.target_lengths is not None and not network.writes)
    if whole:
        if step != -1:
            raise UsageError(f"there is no step {step}: this model has one answer for the row")
        return Answer(network, task, batch, None, of)
    lengths = batch.lengths if batch.target_lengths is None else batch.target_lengths - 1
    count = int(lengths[0])
    if not -count <= step < count:
        raise UsageError(f"there is no step {step}: the row has the steps 0 to {count - 1:,}")
    step %= count
    answer = Answer(network, task, batch, step, of)
    return replace(answer, batch=part_of(answer, 0, step + 1)) if network.causal else answer


def part_of(answer: Answer, start: int, stop: int) -> Batch:
    """The steps ``start … stop`` of the row of an answer, with their targets where each step has one."""
    assert answer.network.columns is not None
    timed = {name for name, spec in answer.network.columns.specs.items() if spec.time}
    batch = answer.batch
    inputs = {name: value[:, start:stop] if name in timed else value for name, value in batch.inputs.items()}
    by_step = answer.step is not None and batch.target is not None
    target = batch.target[:, start:stop] if by_step and batch.target is not None else batch.target
    return replace(batch, inputs=inputs, lengths=torch.full_like(batch.lengths, stop - start), target=target)


def input_columns(network: Model) -> dict[str, str]:
    """The path of each embedding with a time axis, as watchers are told it -> the column that it embeds.

    The letters of words belong to the column of the words.
    """
    assert network.columns is not None
    places = {id(module): path for path, module in network.named_modules()}
    found = {}
    for (name, spec), embedding in zip(network.columns.specs.items(), network.columns.embeddings, strict=True):
        if spec.time:
            found[f"{places[id(embedding)]}.out"] = spec.of if isinstance(spec, Spelled) else name
    return found


def answer_name(step: int) -> str:
    """The answer at a step in words."""
    return f"the answer at step {step:,}"


def no_target() -> DataError:
    """Says that an answer without a target has no score."""
    return DataError("the data has no target, without which this answer has no score", hint="give the target too")


class InputLeaves:
    """A change, as for `Recorder`, that makes leaves of the embedded steps, so that they have gradients.

    Attributes:
        leaves: path -> (B, T, E).
    """

    def __init__(self, network: Model) -> None:
        self._columns = input_columns(network)
        self.leaves: dict[str, Tensor] = {}

    def __call__(self, path: str, value: Tensor) -> Tensor:
        """The same value as a leaf."""
        if path not in self._columns:
            return value
        self.leaves[path] = value.detach().requires_grad_()
        return self.leaves[path]

    def norms(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """Column -> (B, T) float64: the norm of the gradients of its embedded steps; "" is all columns together.

        In float32 the squares of 1e-20 would underflow.
        """
        columns: dict[str, list[Tensor]] = {}
        for path, gradient in gradients.items():
            columns.setdefault(self._columns[path], []).append(gradient.double())
        of_all = [gradient for parts in columns.values() for gradient in parts]
        return {name: torch.cat(parts, 2).norm(dim=2) for name, parts in ({"": of_all} | columns).items()}


@contextmanager
def without_dropout(network: Model) -> Iterator[None]:
    """Run the network as `predict` does, and leave it in the mode in which it was."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
