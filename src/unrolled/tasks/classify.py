"""Classify: predict one label, or a set of labels, for each sequence or plain row.

Axes: B rows, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.data.encodings.encoding import has_time
from unrolled.data.encodings.facets import Labels
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.layers.graph import Shaped, Value
from unrolled.metrics.judged import Answers, ChosenLabels, ChosenSets, Nats
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.tasks._columns import check_classes, distinct, holds_repeats, one_target, other_columns, step_aligned
from unrolled.tasks._initial_bias import log_frequencies, log_odds
from unrolled.tasks._rare import Cut, RareOptions, measured_labels, with_cut, written_labels
from unrolled.tasks._step_answers import step_choice, step_odds
from unrolled.tasks.task import Labelled, Level, Measured, Question, Recognised, Task

__all__ = ["Classify"]

_FEW = 10  # an integer target with at most this many distinct values is read as labels


class Classify(Task):
    """Predicts one label per row (softmax) or several (sigmoids), many to one or one to one.

    Equations:
        one label: loss = −log softmax(o)[y]; several: loss = Σ_k −log σ(±o_k), + if k is one of the labels.

    Metrics: ``loss_nats_per_label`` (one) or ``loss_nats_per_row`` (several), ``accuracy``, ``macro_f1``, and
    ``micro_f1`` for several.
    """

    class Options(RareOptions):
        """The options of classification."""

    name: ClassVar[str] = "classify"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Labels,)
    tokens: ClassVar[Level] = "words or bpe"
    spells: ClassVar[bool] = True
    backward_helps: ClassVar[str] = "to read whole sequences in both directions"

    def __init__(self, options: Classify.Options, coder: Preprocessor, weights: Tensor | None = None) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Labels) and isinstance(spec, Discrete)
        self.options, self.coder, self.outputs = options, coder, spec.size
        self.several = isinstance(coder.form, Set)
        self.mixing = "sigmoid" if self.several else "softmax"
        self.watch = "loss_nats_per_row" if self.several else "loss_nats_per_label"
        # Not the loss: an overconfident network's loss can rise while its labels still improve.
        self.chooses = "macro_f1"
        self.labels = list(answer.labels)
        self.weights, self.cut = weights, Cut.learned(coder.learned)
        self.for_rare = f"{named('class_weights')} balanced" if options.class_weights is None else ""

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        if len(question.target) != 1:
            return None
        sequences, target = question.sequences, question.target[0]
        array = sequences.column(target)
        if has_time(array.type):
            several = not step_aligned(sequences, target, other_columns(question)) and _are_sets(sequences, target)
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
        options = self.options
        if self.several:
            if options.class_weights is not None or options.threshold is not None:
                name = named("threshold" if options.class_weights is None else "class_weights")
                raise UsageError(f"{name} only works with one label for each row; {self.coder.target!r} holds sets")
            return Measured(self, log_odds(train))
        return measured_labels(self, options, train, log_frequencies(train))

    def measure_validation(self, answered: Iterable[tuple[Tensor, Batch]]) -> Task:
        return self if self.cut is None else with_cut(self, self.options, answered)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._nats(outputs, batch, None if self.weights is None else self.weights.to(outputs.device))

    def _nats(self, outputs: Tensor, batch: Batch, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        count = torch.tensor(len(outputs))
        if self.several:
            return F.binary_cross_entropy_with_logits(outputs, batch.target, reduction="sum"), count
        return F.cross_entropy(outputs, batch.target, weights, reduction="sum"), count

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        one = torch.ones_like(batch.lengths)
        if self.several:
            return F.binary_cross_entropy_with_logits(outputs, batch.target, reduction="none").sum(-1), one
        weights = None if self.weights is None else self.weights.to(outputs.device)
        return F.cross_entropy(outputs, batch.target, weights, reduction="none"), one

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        assert batch.target is not None
        nats = Nats(self.watch, *self._nats(outputs, batch))
        if self.several:
            return nats, ChosenSets(outputs > 0, batch.target > 0)
        return nats, ChosenLabels(self._chosen(outputs), batch.target, self.outputs)

    def _chosen(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(-1) if self.cut is None else self.cut.choose(torch.softmax(outputs, -1))

    def labelled(self, outputs: Tensor, batch: Batch) -> Labelled | None:
        if self.several:
            return None
        assert batch.target is not None
        chances = torch.softmax(outputs, -1)
        place = torch.arange(len(outputs), device=outputs.device)
        return Labelled(self._chosen(outputs), batch.target, chances, place)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        name = self.coder.target
        if self.several:
            chances = torch.sigmoid(outputs).tolist()
            best: list[Any] = [[self.labels[k] for k, p in enumerate(row) if p > 0.5] for row in chances]
        else:
            chances = torch.softmax(outputs, -1).tolist()
            best = [self.labels[k] for k in self._chosen(outputs).tolist()]
        columns: dict[str, list[Any]] = {f"{name}_predicted": best}
        for k, label in enumerate(self.labels):
            columns[f"{name}_p_{label}"] = [row[k] for row in chances]
        return columns

    @property
    def recipe(self) -> dict[str, Any]:
        return {"how": "sets" if self.several else "labels", "labels": list(self.labels)}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        if self.several:
            return {"p": (outputs.apply("Sigmoid"), ("rows", self.outputs))}
        return written_labels(outputs, self.cut, ("rows",), self.outputs)

    def write_answers(self, program: Program, outputs: Vector) -> None:
        """The probability of each label."""
        if self.several:
            step_odds(program, f"{self.coder.target}_p", self.coder.target, outputs)
        else:
            step_choice(program, self.coder.target, outputs, self.cut)


def _few_integers(array: pa.ChunkedArray) -> bool:
    if pa.types.is_boolean(array.type):
        return True
    different = distinct(array) if pa.types.is_integer(array.type) else 0
    return 0 < different <= _FEW and different < max(3, len(array))  # labels occur more than once


def _are_sets(sequences: Sequences, target: str) -> bool:
    value = sequences.column(target).type.value_type
    labels = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_integer(value)
    return labels and not holds_repeats(sequences.column(target))


MEMBER = Classify
