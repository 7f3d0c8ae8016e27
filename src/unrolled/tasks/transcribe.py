"""Transcribe: predict a text from a longer sequence in the same order, without an alignment (CTC).

Axes: B rows, T steps (frames), U tokens of the target, V symbols, of which 0 is the blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.config import option
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.unaligned import Unaligned
from unrolled.decoding.ctc import BLANK, CtcBeam, ctc_beam, ctc_greedy
from unrolled.errors import ShapeError
from unrolled.layers.graph import Shaped, Value
from unrolled.layers.lengths import real_steps, zero_padding
from unrolled.metrics.judged import Answers, Nats, TokenSequences
from unrolled.tasks._beam import BeamOptions
from unrolled.tasks._columns import is_measured, is_written, one_target, other_columns, step_aligned
from unrolled.tasks.task import Level, Measured, Mixing, Question, Recognised, Task

__all__ = ["Transcribe"]


class Transcribe(Task):
    """Predicts a text in the order of the steps, unaligned: speech to text, handwriting, the notes of a recording.

    Each step predicts one of the target's symbols or a blank. The blank has the id of ``<unknown>``, which a target of
    this task never holds: a symbol that is missing from training is an error that names its row.

    Equations:
        loss = −ln Σ_π Π_t softmax(o_t)[π_t], over all π that become the target when repeated symbols are merged and
        then blanks are removed (connectionist temporal classification).

    Metrics: ``loss_nats_per_token``, ``token_error_rate`` (edits from the greedy answer to the target / tokens of the
    target), ``exact_match`` (share of rows whose greedy answer is right); for texts also ``word_error_rate`` and
    ``character_error_rate``. Predictions come from a prefix beam search of
    width ``options.beam``; width 1 is greedy decoding.

    References:
        Graves et al. 2006, https://doi.org/10.1145/1143844.1143891
    """

    class Options(BeamOptions):
        """The options of transcription."""

        repeat_inputs: int = option(
            1,
            "Read each input step this often, so that an answer may be longer than its inputs, as the sounds of "
            "a word may be.",
            ge=1,
            le=16,
            also=("stretch", "upsample", "repeat", "upsampling"),
        )

    name: ClassVar[str] = "transcribe"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Text,)
    tokens: ClassVar[Level] = "characters"
    writes_text: ClassVar[bool] = True
    mixing: Mixing = "softmax"

    def __init__(self, options: Transcribe.Options, coder: Preprocessor) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Text) and BLANK in answer.never and isinstance(spec, Discrete)
        self.options, self.coder, self.outputs, self.watch = options, coder, spec.size, "loss_nats_per_token"
        # Not the loss: an overconfident network's loss can rise while its answers still improve.
        self.chooses = "token_error_rate"

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        sequences = question.sequences
        if len(question.target) != 1:
            return None
        target = question.target[0]
        if not is_written(sequences, target):
            return None
        inputs = tuple(name for name in question.inputs or sequences.kinds if name != target)
        measured = [name for name in inputs if is_measured(sequences, name)]
        if not measured or step_aligned(sequences, target, inputs):
            return None
        what = "text" if sequences.traits(target).text else "sequence"
        return Recognised(50, f"{target!r} is a {what} and {measured[0]!r} has numbers for each step")

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        form = Unaligned(question.asked.get("repeat_inputs") or 1)
        return Roles(other_columns(question), target, form, {target: "tokens"})

    def measure_training(self, train: Examples) -> Measured:
        assert train.target is not None
        counts = np.bincount(train.target.values, minlength=self.outputs) + 1.0
        # Every step without its own symbol is a blank.
        counts[BLANK] += max(0, int(train.steps().sum()) - len(train.target.values))
        return Measured(self, torch.from_numpy(np.log(counts / counts.sum())).float())

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        losses, counts = self.each(outputs, batch)
        return losses.sum(), counts.sum()

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        target, sizes = _checked(batch)
        # Padding may be NaN, which would make the gradient NaN too.
        nats = zero_padding(outputs, batch.lengths).log_softmax(-1).transpose(0, 1)  # (T, B, V)
        return F.ctc_loss(nats, target.clamp(min=0), batch.lengths, sizes, BLANK, reduction="none"), sizes

    def score(self, outputs: Tensor, batch: Batch) -> Tensor:
        return -self.each(outputs, batch)[0]

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        nats = Nats(self.watch, *self.loss(outputs, batch))  # also checks the target
        assert batch.target is not None and batch.target_lengths is not None
        rows = zip(batch.target.tolist(), batch.target_lengths.tolist(), strict=True)
        wanted = [row[:size] for row, size in rows]
        written = ctc_greedy(outputs, batch.lengths)
        return nats, TokenSequences(written, wanted), *self.coder.texts(written, wanted)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        if self.options.beam == 1:
            found = ctc_greedy(outputs, batch.lengths)
        else:
            rows = ctc_beam(outputs.log_softmax(-1), batch.lengths, CtcBeam(width=self.options.beam))
            found = [row[0].ids for row in rows]
        texts = [self.coder.answer.decode(np.array(ids, np.int64)) for ids in found]
        return {f"{self.coder.target}_predicted": texts}

    @property
    def recipe(self) -> dict[str, Any]:
        return {"how": "merged", "column": self.coder.target, "blank": BLANK, "beam": self.options.beam}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        return {"log_p": (outputs.apply("LogSoftmax", axis=-1), ("rows", "steps", self.outputs))}


def _checked(batch: Batch) -> tuple[Tensor, Tensor]:
    """(B, U) target and (B,) lengths, after checking that each row has enough steps for its target."""
    assert batch.target is not None and batch.target_lengths is not None
    target, sizes = batch.target, batch.target_lengths
    real = real_steps(sizes, target.shape[1])  # (B, U)
    blank = (real & (target == BLANK)).any(1)
    if blank.any():
        row = int(batch.rows[blank][0])
        raise ShapeError(f"the target of example {row} holds id {BLANK}, which is reserved for the blank")
    needed = sizes + (real[:, 1:] & (target[:, 1:] == target[:, :-1])).sum(1)
    short = needed > batch.lengths
    if short.any():
        row, tokens, least, steps = (int(x[short][0]) for x in (batch.rows, sizes, needed, batch.lengths))
        raise ShapeError(
            f"the target of example {row} has {tokens} tokens, which need at least {least} steps; it has {steps}"
        )
    return target, sizes


MEMBER = Transcribe
