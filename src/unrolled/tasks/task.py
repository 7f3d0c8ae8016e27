"""What a task is: the target, the loss, what is judged and the form of the answer, in one file each.

Axes: B rows, T steps, O outputs of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import TaskConfig
from unrolled.data.coder import Preprocessor
from unrolled.data.examples import Examples
from unrolled.data.roles import Roles
from unrolled.data.sequences import Sequences
from unrolled.errors import UsageError
from unrolled.metrics.judged import Answers
from unrolled.registry import Registry

__all__ = ["TASKS", "Measured", "Question", "Task", "make_task", "scored_steps"]

TASKS = Registry("task")


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asked: the data, the target columns, the inputs, how far to look ahead, and what is known there."""

    sequences: Sequences
    target: tuple[str, ...]
    inputs: tuple[str, ...]
    horizon: int | None
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What the training split tells a task before there is a network.

    Attributes:
        task: the same task, which may know more now.
        prior: (O,) float32, where the head's bias starts: the frequencies of training; ``None`` leaves it as it is.
        longest: the most symbols of an answer that is a sequence of its own.
        notes: lines for the user.
    """

    task: Task
    prior: Tensor | None = None
    longest: int = 0
    notes: tuple[str, ...] = ()


class Task(Protocol):
    """One kind of question. A file in ``tasks/`` with a line ``MEMBER = Class`` is a task.

    ``outputs`` is what the model's ``run`` makes of a batch: a tensor, or of an encoder–decoder a `Written`.

    Attributes:
        name: what ``--task`` calls it.
        pooled: True for one answer a row, False for one a step.
        pool: how many steps become one where the user does not say.
        needs: the facets of which the target's encoding has at least one.
        outputs: O, the numbers that the network must give.
        watch: the metric that training makes small.
        chooses: the metric by which validation chooses among weights; what is better is the metric's to say.
    """

    name: ClassVar[str]
    pooled: ClassVar[bool]
    pool: ClassVar[Literal["last", "max"]]
    needs: ClassVar[tuple[type, ...]]
    outputs: int
    watch: str
    chooses: str
    config: TaskConfig
    coder: Preprocessor

    def __init__(self, config: TaskConfig, coder: Preprocessor) -> None: ...

    @staticmethod
    def recognises(question: Question) -> str | None:
        """Why this is the task that the question asks for, as the user is told it; ``None`` if it is not."""

    @staticmethod
    def roles(question: Question) -> Roles:
        """Choose inputs and target; a `DataError` or `UsageError` if the data cannot be asked this."""

    def measure_training(self, train: Examples) -> Measured:
        """What is to be known of the training split before the network is made."""

    def loss(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """(sum of the loss over what is scored, how many were scored)."""

    def judge(self, outputs: Any, batch: Batch) -> Answers:
        """The answers to a batch beside what is right, in the kinds that metrics are computed from."""

    def answers(self, outputs: Any, batch: Batch) -> dict[str, list[Any]]:
        """The answers to the rows of a batch, as new columns."""


def make_task(config: TaskConfig, coder: Preprocessor) -> Task:
    """The task that ``config`` names, of a target whose encoding has what the task needs.

    Raises:
        UsageError: there is no such task, or the target has none of what it needs.
    """
    member: type[Task] = TASKS.get(config.name)
    if not isinstance(coder.answer, member.needs):
        *most, last = (facet.__name__.lower() for facet in member.needs)
        wanted = f"{', '.join(most)} or {last}" if most else last
        raise UsageError(
            f"the task {config.name!r} needs a target with {wanted}, but {coder.target!r} is read as "
            f"{coder.answer.kind}: choose another --target, or read it otherwise with --kind"
        )
    return member(config, coder)


def scored_steps(batch: Batch, steps: int) -> Tensor:
    """(B, T) bool: the real steps of each row that are not context."""
    at = torch.arange(steps, device=batch.lengths.device)
    real = at < batch.lengths[:, None]
    return real if batch.scored is None else real & (at >= batch.scored[:, None])
