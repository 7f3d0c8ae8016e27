"""Translate: write a new sequence of any length, given an input sequence.

Axes: B rows, U steps of the target, N steps of all rows without padding, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unrolled.batch import Batch, Discrete
from unrolled.config import option
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.free import Free
from unrolled.decoding.beam import Beam, beam_search
from unrolled.layers.graph import Shaped, Value
from unrolled.layers.lengths import real_steps
from unrolled.metrics.judged import Answers, Nats, TokenSequences
from unrolled.models.encoder_decoder import Written
from unrolled.state import flatten
from unrolled.tasks._beam import BeamOptions
from unrolled.tasks._columns import is_measured, is_written, one_target, other_columns, step_aligned
from unrolled.tasks._initial_bias import log_frequencies
from unrolled.tasks.task import Level, Measured, Question, Recognised, Task, placed

__all__ = ["Translate"]


class Translate(Task):
    """Writes a sequence of any length: a translation or a pronunciation (many to many), a caption (one to many).

    Equations:
        loss = Σ_u −Σ_v q_v log softmax(o_u)[v],  q = 1 at the right symbol, or with label smoothing ε, 1 − ε there
        plus ε / V everywhere; ``<end>`` is a symbol too. The metrics are computed without smoothing.

    Metrics: ``loss_nats_per_token``, ``token_error_rate`` (edits from the answer to the target / tokens of the target),
    ``exact_match`` (share of rows); for texts also ``chrf`` and, with sacreBLEU, ``bleu``. Predictions come from a
    beam search of width ``options.beam``.
    """

    class Options(BeamOptions):
        """The options of translation."""

        label_smoothing: float = option(
            0.0,
            "Label smoothing: share of each target's probability that is spread over the vocabulary.",
            ge=0,
            lt=1,
            also=("label_smoothing_factor", "smoothing"),
        )
        shared: bool = option(
            False,
            "Use one vocabulary for source and target texts.",
            also=("shared_vocabulary", "share_embeddings", "joint_vocabulary", "share_all_embeddings"),
        )

    name: ClassVar[str] = "translate"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Text,)
    tokens: ClassVar[Level] = "bpe"
    writes_text: ClassVar[bool] = True
    mixing: None = None

    def __init__(self, options: Translate.Options, coder: Preprocessor) -> None:
        answer, spec = coder.answer, coder.answer.spec
        assert isinstance(answer, Text) and answer.begin is not None and answer.end is not None
        assert isinstance(spec, Discrete)
        self.options, self.coder, self.outputs, self.watch = options, coder, spec.size, "loss_nats_per_token"
        # Not the loss: an overconfident model's loss can rise while its answers still improve. And for texts not the
        # error rate: it is least where a model that has hardly learned anything writes little.
        self.chooses = "chrf" if coder.writes_texts else "token_error_rate"
        self._begin, self._end, self._never = answer.begin, answer.end, answer.never

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        if len(question.target) != 1:
            return None
        target, sequences = question.target[0], question.sequences
        inputs = tuple(name for name in question.inputs or sequences.kinds if name != target)
        if not is_written(sequences, target) or any(is_measured(sequences, name) for name in inputs):
            return None  # numbers for each step are transcribed instead
        aligned = step_aligned(sequences, target, inputs)
        what = "text" if sequences.traits(target).text else "sequence"
        return None if aligned else Recognised(40, f"{target!r} is a {what} with its own length")

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        return Roles(
            other_columns(question), target, Free(), {target: "tokens"}, shared=bool(question.asked.get("shared"))
        )

    def measure_training(self, train: Examples) -> Measured:
        assert train.target is not None
        prior = log_frequencies(train, given=self._begin)
        return Measured(self, prior, longest=int(train.target.lengths().max(initial=0)))

    def loss(self, outputs: Written, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._nats(outputs, batch, self.options.label_smoothing)

    def score(self, outputs: Written, batch: Batch) -> Tensor:
        assert outputs.logits is not None and batch.target is not None
        mask = _written_steps(batch)
        return placed(outputs.logits.gather(1, batch.target[:, 1:][mask][:, None])[:, 0], mask)

    def judge(self, outputs: Written, batch: Batch) -> Answers:
        assert batch.target is not None and batch.target_lengths is not None
        rows = zip(batch.target.tolist(), batch.target_lengths.tolist(), strict=True)
        wanted, written = [row[1 : size - 1] for row, size in rows], self._written(outputs)
        nats = Nats(self.watch, *self._nats(outputs, batch, 0.0))
        return nats, TokenSequences(written, wanted), *self.coder.texts(written, wanted)

    def answers(self, outputs: Written, batch: Batch) -> dict[str, list[Any]]:
        decode = self.coder.answer.decode
        return {f"{self.coder.target}_predicted": [decode(np.array(ids, np.int64)) for ids in self._written(outputs)]}

    @property
    def recipe(self) -> dict[str, Any]:
        rules = {"begin": self._begin, "end": self._end, "never": list(self._never), "beam": self.options.beam}
        return {"how": "written", "column": self.coder.target, **rules}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        return {"log_p": (outputs.apply("LogSoftmax", axis=-1), ("rows", self.outputs))}

    def answered(self, outputs: Written, batch: Batch) -> Batch:
        rows = [torch.tensor([self._begin, *ids, self._end]) for ids in self._written(outputs)]
        target, lengths = pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])
        return replace(batch, target=target.to(batch.lengths.device), target_lengths=lengths.to(batch.lengths.device))

    def _nats(self, outputs: Written, batch: Batch, smoothing: float) -> tuple[Tensor, Tensor]:
        assert outputs.logits is not None and batch.target is not None and batch.target_lengths is not None
        right = batch.target[:, 1:][_written_steps(batch)]  # (N,)
        nats = F.cross_entropy(outputs.logits, right, reduction="sum", label_smoothing=smoothing)
        return nats, torch.tensor(len(right))

    def each(self, outputs: Written, batch: Batch) -> tuple[Tensor, Tensor]:
        assert outputs.logits is not None and batch.target is not None
        mask, smoothing = _written_steps(batch), self.options.label_smoothing
        right = batch.target[:, 1:][mask]
        return placed(F.cross_entropy(outputs.logits, right, reduction="none", label_smoothing=smoothing), mask), mask

    def _written(self, outputs: Written) -> list[list[int]]:
        """The best beam-search hypothesis for each row."""
        start = outputs.start
        _, rows = next(flatten(start.state))
        first = torch.full((len(rows),), self._begin, device=rows.device)
        with torch.no_grad():
            logits, state = start.step(first, start.state)
        settings = Beam(width=self.options.beam, max_length=max(1, start.longest))
        found = beam_search(start.step, state, logits.float(), end=self._end, settings=settings, banned=self._never)
        return [hypotheses[0].ids for hypotheses in found]


def _written_steps(batch: Batch) -> Tensor:
    """(B, U - 1) bool: the real symbols of the target but the first, ``<begin>``."""
    assert batch.target is not None and batch.target_lengths is not None
    return real_steps((batch.target_lengths - 1).clamp(min=0), batch.target.shape[1] - 1)


MEMBER = Translate
