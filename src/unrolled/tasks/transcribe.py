"""Transcribe: what do the steps of a sequence spell, in their order, but not step for step?

Axes: B rows, T steps (frames), U tokens of the target, V symbols of which 0 is the blank.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.unaligned import Unaligned
from unrolled.decoding.ctc import BLANK, CtcBeam, ctc_beam, ctc_greedy
from unrolled.errors import ShapeError
from unrolled.layers.lengths import real_steps, zero_padding
from unrolled.metrics.judged import Answers, Nats, TokenSequences
from unrolled.tasks._beam import BeamOptions
from unrolled.tasks._columns import is_measured, one_target, other_columns, step_aligned
from unrolled.tasks.task import Level, Measured, Question, Recognised, Task

__all__ = ["Transcribe"]


class Transcribe(Task):
    """Many to many, in order, unaligned: speech to text, handwriting, the notes of a recording.

    Each step answers with one of the target's symbols or with a blank, which is the id of ``<unknown>``: the target of
    this task never holds it, as a symbol that training did not see is an error with its row.

    Equations:
        loss = −ln Σ_π Π_t softmax(o_t)[π_t], over all π that give the target once repetitions are written once and then
        blanks are left out (connectionist temporal classification).

    Metrics: ``loss_nats_per_token``, ``token_error_rate`` (edits from the greedy answer to the target / tokens of the
    target), ``exact_match`` (share of rows whose greedy answer is right). What is answered is the best labelling of a
    prefix-beam search of width ``options.beam``, or with 1 the greedy answer.

    References:
        Graves et al. 2006, https://doi.org/10.1145/1143844.1143891
    """

    class Options(BeamOptions):
        """The option of transcribing."""

    name: ClassVar[str] = "transcribe"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Text,)
    tokens: ClassVar[Level] = "characters"
    writes_text: ClassVar[bool] = True

    def __init__(self, options: Transcribe.Options, coder: Preprocessor) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Text) and BLANK in answer.never and isinstance(spec, Discrete)
        self.options, self.coder, self.outputs, self.watch = options, coder, spec.size, "loss_nats_per_token"
        # Not the loss: a network that grows too sure of itself pays for it in nats while its answers still get better.
        self.chooses = "token_error_rate"

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        sequences = question.sequences
        if len(question.target) != 1:
            return None
        target = question.target[0]
        if not sequences.traits(target).text:
            return None
        inputs = tuple(name for name in question.inputs or sequences.kinds if name != target)
        measured = [name for name in inputs if is_measured(sequences, name)]
        if not measured or step_aligned(sequences, target, inputs):
            return None
        return Recognised(50, f"{target!r} is a text, and {measured[0]!r} has numbers for each step")

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        return Roles(other_columns(question), target, Unaligned(), {target: "tokens"})

    def measure_training(self, train: Examples) -> Measured:
        assert train.target is not None
        counts = np.bincount(train.target.values, minlength=self.outputs) + 1.0
        # Every step that has no symbol of its own says nothing.
        counts[BLANK] += max(0, int(train.steps().sum()) - len(train.target.values))
        return Measured(self, torch.from_numpy(np.log(counts / counts.sum())).float())

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        target, sizes = _checked(batch)
        # What lies beyond a row may be NaN, and would be NaN again in the gradient.
        nats = zero_padding(outputs, batch.lengths).log_softmax(-1).transpose(0, 1)  # (T, B, V)
        total = F.ctc_loss(nats, target.clamp(min=0), batch.lengths, sizes, BLANK, reduction="sum")
        return total, sizes.sum()

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        nats = Nats(self.watch, *self.loss(outputs, batch))  # which checks the target
        assert batch.target is not None and batch.target_lengths is not None
        rows = zip(batch.target.tolist(), batch.target_lengths.tolist(), strict=True)
        wanted = [row[:size] for row, size in rows]
        return nats, TokenSequences(ctc_greedy(outputs, batch.lengths), wanted)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        if self.options.beam == 1:
            found = ctc_greedy(outputs, batch.lengths)
        else:
            rows = ctc_beam(outputs.log_softmax(-1), batch.lengths, CtcBeam(width=self.options.beam))
            found = [row[0].ids for row in rows]
        texts = [self.coder.answer.decode(np.array(ids, np.int64)) for ids in found]
        return {f"{self.coder.target}_predicted": texts}


def _checked(batch: Batch) -> tuple[Tensor, Tensor]:
    """(B, U) target and (B,) lengths, once no row asks for more than its steps can tell."""
    assert batch.target is not None and batch.target_lengths is not None
    target, sizes = batch.target, batch.target_lengths
    real = real_steps(sizes, target.shape[1])  # (B, U)
    blank = (real & (target == BLANK)).any(1)
    if blank.any():
        row = int(batch.rows[blank][0])
        raise ShapeError(f"the target of example {row} holds id {BLANK}, the blank, which is no symbol")
    needed = sizes + (real[:, 1:] & (target[:, 1:] == target[:, :-1])).sum(1)
    short = needed > batch.lengths
    if short.any():
        row, tokens, least, steps = (int(x[short][0]) for x in (batch.rows, sizes, needed, batch.lengths))
        raise ShapeError(
            f"the target of example {row} has {tokens} tokens, which need {least} steps, but it has {steps}"
        )
    return target, sizes


MEMBER = Transcribe
