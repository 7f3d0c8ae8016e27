"""The protocol of tasks: each defines its target, loss, metrics and answers in one file.

Axes: B rows, T steps, O outputs of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from unrolled.batch import MISSING, Batch
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.layers.graph import Shaped, Value
from unrolled.metrics.judged import Answers
from unrolled.models._mixing import Outputs, mixed
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.registry import Registry
from unrolled.tasks.config import TaskConfig

__all__ = [
    "TASKS",
    "Batching",
    "Labelled",
    "Layout",
    "Level",
    "Measured",
    "Mixing",
    "Question",
    "Reads",
    "Recognised",
    "Task",
    "make_task",
    "placed",
    "scored_steps",
]

TASKS = Registry("task")

Layout = Literal["rows", "steps", "ahead", "ranked"]
Mixing = Literal["mean", "softmax", "sigmoid"]
Level = Literal["characters", "words", "bpe", "bytes", "words or bpe"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asked for: the data, the named columns and the options.

    Attributes:
        sequences: the data.
        target, inputs: the named columns; empty if none were named.
        asked: the given options; a task finds its own options here.
    """

    sequences: Sequences
    target: tuple[str, ...]
    inputs: tuple[str, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)


class Recognised(NamedTuple):
    """How sure a task is that it fits a question, from 1 to 100, and the reason shown to the user."""

    confidence: int
    reason: str


class Reads(NamedTuple):
    """How a task reads its data: whether plain rows are steps of a series, and which further columns it needs."""

    steps: bool = False
    columns: tuple[str, ...] = ()


class Batching(NamedTuple):
    """How a task wants its batches made.

    Attributes:
        lookback: the largest number of history steps before a forecast.
        mask: the share of steps to hide in masked language modelling.
        in_pieces: whether long sequences may be split into windows for training and evaluation.
    """

    lookback: int = 64
    mask: float = 0.15
    in_pieces: bool = True


class Labelled(NamedTuple):
    """Answers that are one of K labels: what was chosen and what is right, and the probability of each label.

    Attributes:
        chosen, right: (N,) int64 in [0, K).
        chances: (N, K) float; ``None`` if the model gives no probabilities of single labels.
        place: (N,) int64, the place in the batch that each answer belongs to.
    """

    chosen: Tensor
    right: Tensor
    chances: Tensor | None
    place: Tensor


@dataclass(frozen=True, slots=True)
class Measured:
    """What a task learns from the training split before the network is made.

    Attributes:
        task: the same task, possibly with values measured on the training split.
        prior: (O,) float32, initial values of the head's bias; ``None`` leaves it unchanged.
        longest: the length of the longest target, if the task writes sequences.
        candidates: the number of items that a training step samples; 0 for all of them.
        notes: lines to show to the user.
    """

    task: Task
    prior: Tensor | None = None
    longest: int = 0
    candidates: int = 0
    notes: tuple[str, ...] = ()


class Task(Protocol):
    """What a model is trained to predict. A file in ``tasks/`` with a line ``MEMBER = Class`` is a task.

    A task inherits from this class to get the defaults below. The ``outputs`` of its methods are what the model's
    ``run`` returns for a batch: a tensor, `unrolled.layers.item_outputs.ItemOutputs` over items, or a `Written` from an
    encoder–decoder.

    Attributes:
        name: the name of the task, as given by the option ``task``.
        pooled: True for one answer per row, False for one per step.
        pool: the default pooling over the steps of a row.
        needs: the facets of which the target's encoding must have at least one.
        tokens: the default tokens of a text; ``words or bpe`` means subwords if there are too many distinct words.
        spells: whether words are read by their letters too, so that rare and new ones say something.
        writes_text: whether the target is always a text, whatever its values look like.
        continues: whether the target is one of the inputs: its next step, or its hidden steps.
        backward_helps: what a bidirectional model is useful for; empty if it does not help.
        layout: what one line of a table of its answers is: a row of the data, a step of it, a step ahead, or one of a
            row's likeliest answers.
        pretrains: whether its models mainly serve to initialise others.
        chain: whether the outputs are the potentials of a linear chain (see `unrolled.layers.crf`).
        batching: how it wants its batches made.
        for_rare: the options that help a label which is never predicted, in words; empty if there are none.
        Options: the class of its own options.
        options: its own options.
        coder: the preprocessor of the data.
        outputs: O, the number of outputs that the network needs.
        labels: the labels that its answers are one of; empty for other answers.
        mixing: what the outputs stand for where two models are mixed: numbers, whose mean is taken, the log
            probabilities of one choice (``softmax``), or the log odds of several (``sigmoid``); ``None`` if they cannot
            be mixed.
        watch: the metric name of the training loss.
        chooses: the metric by which validation chooses weights; the metric declares which values are better.
    """

    name: ClassVar[str]
    pooled: ClassVar[bool]
    pool: ClassVar[Literal["last", "max"]]
    needs: ClassVar[tuple[type, ...]]
    tokens: ClassVar[Level] = "words"
    spells: ClassVar[bool] = False
    writes_text: ClassVar[bool] = False
    continues: ClassVar[bool] = False
    backward_helps: ClassVar[str] = ""
    pretrains: ClassVar[bool] = False
    Options: ClassVar[type[Part]] = Part
    layout: Layout = "rows"
    chain: bool = False
    batching: Batching = Batching()
    for_rare: str = ""
    mixing: Mixing | None = "mean"

    labels: Sequence[Any] = ()
    outputs: int
    watch: str
    chooses: str
    options: Part
    coder: Preprocessor

    def __init__(self, options: Any, coder: Preprocessor) -> None: ...

    @staticmethod
    def reads(asked: Mapping[str, Any]) -> Reads:  # noqa: ARG004 - for tasks that need it
        """How the data must be read, given the options in ``asked``."""
        return Reads()

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        """How sure the task is that it fits the question; ``None`` if it does not. The surest task is chosen."""

    @staticmethod
    def assumes(question: Question) -> dict[str, Any]:  # noqa: ARG004 - for tasks that need it
        """Options of its own that the data decides where the user left them open: name -> value."""
        return {}

    @staticmethod
    def roles(question: Question) -> Roles:
        """Choose the inputs and the target.

        Raises:
            DataError: the data does not fit the task.
            UsageError: the named columns or the options do not fit the task.
        """

    def measure_training(self, train: Examples) -> Measured:
        """What the task has to know about the training split before the network is made."""

    def measure_validation(self, answered: Iterable[tuple[Any, Batch]]) -> Task:
        """What the task learns from the chosen weights' outputs on the validation split, such as a threshold.

        Args:
            answered: outputs and batch, of each batch.

        Returns:
            the same task if it learns nothing, else one with other numbers in ``coder.learned``.
        """
        return self

    def loss(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """The sum of the loss over all scored targets, and their number."""

    def each(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """`loss` of each answer by itself: its loss, 0 if it is not scored, and its number of targets.

        Both are (B, T) with an answer for each step, (B, U) for written symbols, and (B,) where a row is judged as a
        whole. By default they are the sum and number of each row.
        """
        if not len(batch.rows):
            return (nothing := torch.zeros(0, device=batch.lengths.device)), nothing
        rows = (slice(row, row + 1) for row in range(len(batch.rows)))
        losses, counts = zip(*(self.loss(outputs[row], batch.only(row)) for row in rows), strict=True)
        return torch.stack(losses), torch.stack(counts)

    def answered(self, outputs: Any, batch: Batch) -> Batch:
        """``batch`` with the model's own answer as its target, where the model reads its target while it writes.

        By default the model reads no target, and ``batch`` stays as it is.
        """
        return batch

    def score(self, outputs: Any, batch: Batch) -> Tensor:
        """How strongly each answer is given: the number that reach and attribution explain; shape as in `each`.

        It is the logit of the label or symbol that came, or of the likeliest one where no target is known; of several
        labels the sum of the log odds of those that came, minus those of the others; and of numbers their sum. Where
        the outputs hold no such number, it is minus the loss.
        """
        if self.chain or not isinstance(outputs, Tensor):
            return -self.each(outputs, batch)[0]
        if self.mixing == "mean":
            return outputs.sum(-1)
        target = batch.target
        if self.mixing == "sigmoid":
            on = outputs > 0 if target is None else torch.where(target.isnan(), outputs > 0, target > 0)
            return torch.where(on, outputs, -outputs).sum(-1)
        likeliest = outputs.argmax(-1)
        right = likeliest if target is None else torch.where(target == MISSING, likeliest, target)
        return outputs.gather(-1, right[..., None])[..., 0]

    def judge(self, outputs: Any, batch: Batch) -> Answers:
        """The predictions for a batch together with the targets, in the types that metrics accept."""

    def judge_mixtures(self, ours: Outputs, theirs: Outputs, shares: Sequence[float], batch: Batch) -> list[Answers]:
        """`judge` of each mixture of the outputs of two models.

        Args:
            ours, theirs: their outputs for ``batch``.
            shares: the share of the second in each mixture.
            batch: the batch.
        """
        assert self.mixing is not None
        wanted = (torch.tensor(share, device=batch.lengths.device) for share in shares)
        return [self.judge(mixed(ours, theirs, share, self.mixing), batch) for share in wanted]

    def labelled(self, outputs: Any, batch: Batch) -> Labelled | None:
        """The labels that were chosen for a batch, with their probabilities; ``None`` if answers are no labels."""
        return None

    def answers(self, outputs: Any, batch: Batch) -> dict[str, list[Any]]:
        """The predictions for the rows of a batch, as new columns."""

    @property
    def recipe(self) -> dict[str, Any]:
        """How `answers` follows from the outputs of `graph`, as JSON, for programs without this package.

        ``how`` names the rule; the others are what it needs: labels, names of columns.
        """

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        """Write what the answers are made of, in the data's own units: name -> value and its shape.

        Args:
            outputs: those of the network.
            inputs: the encoded columns, as the network reads them.
            lengths: (B,) int64.
        """

    def write_answers(self, program: Program, outputs: Vector) -> None:
        """Write what `answers` makes of the outputs of one step, number by number.

        Raises:
            UsageError: an answer is not that of one step; so it is unless a task says otherwise.
        """
        raise UsageError(f"the task {self.name!r} answers for whole rows only, so its models cannot be exported to C")


def make_task(config: TaskConfig, coder: Preprocessor) -> Task:
    """Make the task that ``config`` names.

    Raises:
        UsageError: the task is unknown, or the target's encoding does not fit it.
    """
    member: type[Task] = TASKS.get(config.name)
    if not isinstance(coder.answer, member.needs):
        *most, last = (facet.__name__.lower() for facet in member.needs)
        wanted = f"{', '.join(most)} or {last}" if most else last
        raise UsageError(
            f"the task {config.name!r} needs a target with {wanted}, but {coder.target!r} is read as "
            f"{coder.answer.kind}; choose another {named('target')}, or change its kind with {named('kinds')}"
        )
    return member(config.of("task", config.name), coder)


def placed(values: Tensor, mask: Tensor) -> Tensor:
    """(B, T): ``values`` (N,) at the N places where ``mask`` (B, T) is True, and 0 elsewhere.

    >>> placed(torch.tensor([5, 6]), torch.tensor([[True, False], [False, True]])).tolist()
    [[5, 0], [0, 6]]
    """
    return values.new_zeros(mask.shape).masked_scatter(mask, values)


def scored_steps(batch: Batch, steps: int) -> Tensor:
    """(B, T) bool: True for steps that are neither padding nor context."""
    at = torch.arange(steps, device=batch.lengths.device)
    real = at < batch.lengths[:, None]
    return real if batch.scored is None else real & (at >= batch.scored[:, None])
