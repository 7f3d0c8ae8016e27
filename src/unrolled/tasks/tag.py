"""Tag: predict one label for each step of a sequence.

Axes: B rows, T steps, K labels.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor

from unrolled.batch import MISSING, Batch, Discrete
from unrolled.config import option
from unrolled.data.encodings.encoding import has_time
from unrolled.data.encodings.facets import Labels
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.aligned import Aligned
from unrolled.decoding.viterbi import viterbi
from unrolled.errors import named
from unrolled.layers.crf import FORBIDDEN, crf_log_partition, crf_potentials, crf_score
from unrolled.layers.graph import Shaped, Value
from unrolled.metrics._iob2 import IOB2
from unrolled.metrics.judged import Answers, ChosenLabels, ChosenTags, Nats
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.tasks._columns import check_aligned, check_classes, one_target, other_columns, step_aligned
from unrolled.tasks._initial_bias import log_frequencies, log_transitions
from unrolled.tasks._rare import Cut, RareOptions, measured_labels, with_cut, written_labels
from unrolled.tasks._step_answers import step_choice
from unrolled.tasks.task import Batching, Labelled, Layout, Measured, Question, Recognised, Task, placed, scored_steps

__all__ = ["Tag"]

_log = logging.getLogger(__name__)

_ANNOTATION = re.compile(r"(^|[_ ])(tags?|labels?|pos|[ux]pos|chunks?|ner|lemmas?|deprel|head)$")


class Tag(Task):
    r"""Predicts a label at every step, many to many: names in a sentence, the state of a machine.

    Equations:
        loss = Σ_t −log softmax(o_t)[y_t]; with ``crf`` the network gives potentials φ for all labels of a row together:
        loss = log Σ_y' exp Σ_t φ_t(y'_{t−1}, y'_t) − Σ_t φ_t(y_{t−1}, y_t), see `unrolled.layers.crf`.

    Metrics: ``loss_nats_per_step``, ``accuracy`` (of steps), ``macro_f1``; if the labels are tags of entities (IOB2 or
    BIOES), also ``entity_precision``, ``entity_recall`` and ``entity_f1``, which then chooses the weights.
    """

    class Options(RareOptions):
        """The options of tagging."""

        crf: bool = option(
            False,
            "Predict all labels of a sequence jointly with a linear-chain CRF.",
            also=("use_crf", "viterbi"),
        )

        @model_validator(mode="after")
        def _without_crf(self) -> Self:
            for name in ("class_weights", "threshold"):
                if self.crf and getattr(self, name) is not None:
                    raise ValueError(f"{named(name)} does not work with {named('crf')}, which labels whole sequences")
            return self

    name: ClassVar[str] = "tag"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Labels,)
    spells: ClassVar[bool] = True
    backward_helps: ClassVar[str] = "to read whole sequences in both directions"
    layout: Layout = "steps"

    def __init__(self, options: Tag.Options, coder: Preprocessor, weights: Tensor | None = None) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Labels) and isinstance(spec, Discrete)
        self.options, self.coder, self.watch = options, coder, "loss_nats_per_step"
        self.chain, self.batching = options.crf, Batching(in_pieces=not options.crf)
        self.outputs = spec.size * (spec.size + 1) if options.crf else spec.size
        self.mixing = "mean" if options.crf else "softmax"
        self.labels = list(answer.labels)
        self.tags = IOB2.of(self.labels)
        self.weights, self.cut = weights, Cut.learned(coder.learned)
        rare = options.class_weights is None and not options.crf
        self.for_rare = f"{named('class_weights')} balanced" if rare else ""
        # Not the loss: an overconfident network's loss can rise while its labels still improve.
        self.chooses = "macro_f1" if self.tags is None else "entity_f1"

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        if len(question.target) != 1:
            return None
        target = question.target[0]
        if not has_time(question.sequences.column(target).type):
            return None
        if question.sequences.traits(target).measured:
            return None  # numbers over time are forecast
        aligned = step_aligned(question.sequences, target, other_columns(question))
        return Recognised(70, f"{target!r} has one label for each step") if aligned else None

    @staticmethod
    def roles(question: Question) -> Roles:
        target, sequences = one_target(question), question.sequences
        inputs = _not_annotations(question, other_columns(question))
        check_aligned(sequences, target, inputs)
        check_classes(sequences, target)
        return Roles(inputs, target, Aligned(), {target: "category"})

    def measure_training(self, train: Examples) -> Measured:
        if self.options.crf:
            return Measured(self, self._first_transitions(train))
        return measured_labels(self, self.options, train, log_frequencies(train))

    def measure_validation(self, answered: Iterable[tuple[Tensor, Batch]]) -> Task:
        return self if self.cut is None else with_cut(self, self.options, answered)

    def _first_transitions(self, train: Examples) -> Tensor:
        start, seen = log_transitions(train)  # (K + 1, K)
        if self.tags is not None:
            forbidden = torch.from_numpy(self.tags.forbidden())
            # A transition that occurs in training must stay possible, or its rows would have an infinite loss.
            if bool((broken := forbidden & seen).any()):
                before, after = ([*self.labels, "the start"][i] for i in broken.nonzero()[0].tolist())
                _log.warning(
                    "%s: the training data breaks the IOB2 rules (%s after %s), so the CRF allows what occurs there",
                    self.coder.target,
                    after,
                    before,
                )
            start[forbidden & ~seen] = FORBIDDEN
        return start.flatten()

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._nats(outputs, batch, None if self.weights is None else self.weights.to(outputs.device))

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        mask, target = self._asked(outputs, batch)
        if self.options.crf:
            return _of_paths(outputs, batch, target), mask.sum(1)
        weights = None if self.weights is None else self.weights.to(outputs.device)
        return placed(F.cross_entropy(outputs[mask], target[mask], weights, reduction="none"), mask), mask

    def _nats(self, outputs: Tensor, batch: Batch, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mask, target = self._asked(outputs, batch)
        if not self.options.crf:
            return F.cross_entropy(outputs[mask], target[mask], weights, reduction="sum"), mask.sum()
        return _of_paths(outputs, batch, target).sum(), mask.sum()

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        mask, target = self._asked(outputs, batch)
        # A diverged network has no best path; the trainer handles its non-finite loss.
        found, wanted = self._best(outputs.nan_to_num(), batch.lengths)[mask], target[mask]
        judged = Nats(self.watch, *self._nats(outputs, batch)), ChosenLabels(found, wanted, len(self.labels))
        if self.tags is None:
            return judged
        first = mask & ~F.pad(mask, (1, -1))  # an entity never spans unscored steps
        return *judged, ChosenTags(found, wanted, first[mask], self.tags)

    def labelled(self, outputs: Tensor, batch: Batch) -> Labelled:
        mask, target = self._asked(outputs, batch)
        outputs = outputs.nan_to_num()
        best, chances = self._best(outputs, batch.lengths), self._chances(outputs, batch.lengths)
        return Labelled(best[mask], target[mask], chances[mask], mask.nonzero()[:, 0])

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        best, lengths = self._best(outputs, batch.lengths), batch.lengths.tolist()
        chances = self._chances(outputs, batch.lengths).gather(-1, best.clamp(min=0)[..., None])[..., 0]  # (B, T)
        tags = [[self.labels[k] for k in row[:n]] for row, n in zip(best.tolist(), lengths, strict=True)]
        sure = [row[:n] for row, n in zip(chances.tolist(), lengths, strict=True)]
        return {f"{self.coder.target}_predicted": tags, f"{self.coder.target}_p": sure}

    @property
    def recipe(self) -> dict[str, Any]:
        return {"how": "paths" if self.options.crf else "tags", "labels": list(self.labels)}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        if self.options.crf:
            labels = len(self.labels)
            return {"potentials": (outputs.reshape(0, 0, -1, labels), ("rows", "steps", labels + 1, labels))}
        return written_labels(outputs, self.cut, ("rows", "steps"), self.outputs)

    def write_answers(self, program: Program, outputs: Vector) -> None:
        """The probability of each label at this step."""
        step_choice(program, self.coder.target, outputs, self.cut)

    def _chances(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, K) the probability of each label at each step; with a CRF, over all paths."""
        if not self.options.crf:
            return torch.softmax(outputs, -1)
        with torch.enable_grad():  # the gradient of the log partition is the probability of each transition
            potentials = crf_potentials(outputs.detach()).requires_grad_()  # (B, T, K + 1 or K, K)
            (chances,) = torch.autograd.grad(crf_log_partition(potentials, lengths).sum(), potentials)
        return chances.sum(-2)

    def _asked(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, T) bool, the scored steps with a known label, and (B, T) their labels, `MISSING` elsewhere."""
        assert batch.target is not None
        mask = scored_steps(batch, outputs.shape[1]) & (batch.target != MISSING)
        return mask, torch.where(mask, batch.target, MISSING)

    def _best(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """(B, T) int64: the likeliest label of each step, or with a CRF each row's best path; padding is undefined."""
        if self.options.crf:
            return viterbi(crf_potentials(outputs), lengths)[0]
        return outputs.argmax(-1) if self.cut is None else self.cut.choose(torch.softmax(outputs, -1))


def _of_paths(outputs: Tensor, batch: Batch, target: Tensor) -> Tensor:
    """(B,) the loss of each row's path."""
    potentials, lengths = crf_potentials(outputs), batch.lengths
    return crf_log_partition(potentials, lengths) - crf_score(potentials, target, lengths)


def _not_annotations(question: Question, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """The inputs without labels that annotate the same words as the target does, unless the user chose the inputs."""
    sequences = question.sequences
    if question.inputs or not any(sequences.traits(name).verbatim for name in inputs):
        return inputs
    return tuple(
        name for name in inputs if not (has_time(sequences.column(name).type) and _ANNOTATION.search(name.lower()))
    )


MEMBER = Tag
