"""What a task is: the target, the loss, what is judged and the form of the answer, in one file each.

Axes: B rows, T steps, O outputs of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.metrics.judged import Answers
from unrolled.registry import Registry
from unrolled.tasks.config import TaskConfig

__all__ = [
    "TASKS",
    "Batching",
    "Level",
    "Measured",
    "Question",
    "Reads",
    "Recognised",
    "Task",
    "make_task",
    "scored_steps",
]

TASKS = Registry("task")

Level = Literal["characters", "words", "bpe", "bytes", "words or bpe"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asked.

    Attributes:
        sequences: the data.
        target, inputs: the columns that were named; empty where none was.
        asked: the options that were given; a task looks there for its own.
    """

    sequences: Sequences
    target: tuple[str, ...]
    inputs: tuple[str, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)


class Recognised(NamedTuple):
    """How sure a task is that a question is its own, from 1 to 100, and why, as the user is told."""

    confidence: int
    reason: str


class Reads(NamedTuple):
    """How the data of a task is read: a row without a sequence is a step, and further columns are wanted by name."""

    steps: bool = False
    columns: tuple[str, ...] = ()


class Batching(NamedTuple):
    """What a task wants of the batches: the plans of some forms look at it.

    Attributes:
        lookback: the most steps of history before a forecast.
        mask: the share of steps that are hidden to be filled in.
        in_pieces: whether long sequences may be trained and judged in pieces.
    """

    lookback: int = 64
    mask: float = 0.15
    in_pieces: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """What the training split tells a task before there is a network.

    Attributes:
        task: the same task, which may know more now.
        prior: (O,) float32, where the head's bias starts: the frequencies of training; ``None`` leaves it as it is.
        longest: the most symbols of an answer that is a sequence of its own.
        candidates: how many items a step of training compares with; 0: all of them.
        notes: lines for the user.
    """

    task: Task
    prior: Tensor | None = None
    longest: int = 0
    candidates: int = 0
    notes: tuple[str, ...] = ()


class Task(Protocol):
    """One kind of question. A file in ``tasks/`` with a line ``MEMBER = Class`` is a task.

    A task names this class as its base, and so has the defaults below.

    ``outputs`` is what the model's ``run`` makes of a batch: a tensor, or of an encoder–decoder a `Written`.

    Attributes:
        name: what ``--task`` calls it.
        pooled: True for one answer a row, False for one a step.
        pool: how many steps become one where the user does not say.
        needs: the facets of which the target's encoding has at least one.
        tokens: what a token of a text is where the user does not say; ``words or bpe``: parts of words if the words are
            very many.
        writes_text: the target is a text, whatever it looks like.
        continues: the target is one of the inputs: what comes next, or what is hidden of it.
        backward_helps: what a model that reads backward as well is good for; empty if for nothing.
        pretrains: its models are there to initialise others.
        chain: the outputs are the potentials of a linear chain (see `unrolled.layers.crf`).
        batching: what it wants of the batches.
        Options: the class of its own options, of which it is made.
        outputs: O, the numbers that the network must give.
        watch: the metric that training makes small.
        chooses: the metric by which validation chooses among weights; what is better is the metric's to say.
    """

    name: ClassVar[str]
    pooled: ClassVar[bool]
    pool: ClassVar[Literal["last", "max"]]
    needs: ClassVar[tuple[type, ...]]
    tokens: ClassVar[Level] = "words"
    writes_text: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    backward_helps: ClassVar[str] = ""
    pretrains: ClassVar[bool] = False
    Options: ClassVar[type[Part]] = Part
    chain: bool = False
    batching: Batching = Batching()

    outputs: int
    watch: str
    chooses: str
    options: Part
    coder: Preprocessor

    def __init__(self, options: Any, coder: Preprocessor) -> None: ...

    @staticmethod
    def reads(asked: Mapping[str, Any]) -> Reads:  # noqa: ARG004 - for tasks that look there
        """What the options that were ``asked`` for say about how the data is read."""
        return Reads()

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        """How sure this is the task that the question asks for; ``None`` if it is not. The surest task wins."""

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
            f"{coder.answer.kind}: choose another {named('target')}, or read it otherwise with {named('kinds')}"
        )
    return member(config.of("task", config.name), coder)


def scored_steps(batch: Batch, steps: int) -> Tensor:
    """(B, T) bool: the real steps of each row that are not context."""
    at = torch.arange(steps, device=batch.lengths.device)
    real = at < batch.lengths[:, None]
    return real if batch.scored is None else real & (at >= batch.scored[:, None])
