"""Classify: predict one label, or a set of labels, for each sequence or plain row.

Axes: B rows, K classes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.config import Part
from unrolled.data.encodings.encoding import has_time
from unrolled.data.encodings.facets import Labels
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.tables.sequences import Sequences
from unrolled.metrics.judged import Answers, ChosenLabels, ChosenSets, Nats
from unrolled.tasks._columns import check_classes, distinct, one_target, other_columns, step_aligned
from unrolled.tasks._initial_bias import log_frequencies, log_odds
from unrolled.tasks.task import Level, Measured, Question, Recognised, Task

__all__ = ["Classify"]

_FEW = 10  # an integer target with at most this many distinct values is read as labels


class Classify(Task):
    """Predicts one label per row (softmax) or several (sigmoids), many to one or one to one.

    Equations:
        one label: loss = −log softmax(o)[y]; several: loss = Σ_k −log σ(±o_k), + if k is one of the labels.

    Metrics: ``loss_nats_per_label`` (one) or ``loss_nats_per_row`` (several), ``accuracy``, ``macro_f1``, and
    ``micro_f1`` for several.
    """

    name: ClassVar[str] = "classify"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Labels,)
    tokens: ClassVar[Level] = "words or bpe"
    backward_helps: ClassVar[str] = "to read whole sequences in both directions"

    def __init__(self, options: Part, coder: Preprocessor) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Labels) and isinstance(spec, Discrete)
        self.options, self.coder, self.outputs = options, coder, spec.size
        self.several = isinstance(coder.form, Set)
        self.watch = "loss_nats_per_row" if self.several else "loss_nats_per_label"
        # Not the loss: an overconfident network's loss can rise while its labels still improve.
        self.chooses = "macro_f1"
        self.labels = list(answer.labels)

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        if len(question.target) != 1:
            return None
        sequences, target = question.sequences, question.target[0]
        array = sequences.column(target)
        if has_time(array.type):
            several = not step_aligned(sequences, target, other_columns(question)) and _are_labels(sequences, target)
            return Recognised(80, f"each cell of {target!r} is a set of labels") if several else None
        if sequences.traits(target).labels or _few_integers(array):
            return Recognised(80, f"{target!r} has {distinct(array)} labels")
        return None

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        sequences = question.sequences
        check_classes(sequences, target)
        several = has_time(sequences.column(target).type)
        return Roles(other_columns(question), target, Set() if several else One(), {target: "category"})

    def measure_training(self, train: Examples) -> Measured:
        return Measured(self, log_odds(train) if self.several else log_frequencies(train))

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        count = torch.tensor(len(outputs))
        if self.several:
            return F.binary_cross_entropy_with_logits(outputs, batch.target, reduction="sum"), count
        return F.cross_entropy(outputs, batch.target, reduction="sum"), count

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        assert batch.target is not None
        nats = Nats(self.watch, *self.loss(outputs, batch))
        if self.several:
            return nats, ChosenSets(outputs > 0, batch.target > 0)
        return nats, ChosenLabels(outputs.argmax(-1), batch.target, self.outputs)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        name = self.coder.target
        if self.several:
            chances = torch.sigmoid(outputs).tolist()
            best: list[Any] = [[self.labels[k] for k, p in enumerate(row) if p > 0.5] for row in chances]
        else:
            chances = torch.softmax(outputs, -1).tolist()
            best = [self.labels[k] for k in outputs.argmax(-1).tolist()]
        columns: dict[str, list[Any]] = {f"{name}_predicted": best}
        for k, label in enumerate(self.labels):
            columns[f"{name}_p_{label}"] = [row[k] for row in chances]
        return columns


def _few_integers(array: pa.ChunkedArray) -> bool:
    if pa.types.is_boolean(array.type):
        return True
    return pa.types.is_integer(array.type) and distinct(array) <= _FEW


def _are_labels(sequences: Sequences, target: str) -> bool:
    value = sequences.column(target).type.value_type
    return pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_integer(value)


MEMBER = Classify
