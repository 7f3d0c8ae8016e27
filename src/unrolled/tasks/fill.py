"""Fill: predict hidden tokens, to pretrain an encoder without labels (masked language modelling).

Axes: B rows, T steps, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import MISSING, Batch, Discrete
from unrolled.config import Part, option
from unrolled.data.encodings._level import SPECIALS, UNKNOWN
from unrolled.data.encodings.encoding import ENCODINGS
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.fill import FillIn
from unrolled.errors import DataError, UsageError, named
from unrolled.layers.graph import Shaped, Value
from unrolled.metrics.judged import Answers, ChosenTokens, Nats
from unrolled.tasks._columns import check_letters
from unrolled.tasks._initial_bias import log_frequencies
from unrolled.tasks.task import Batching, Measured, Question, Recognised, Task, placed, scored_steps

__all__ = ["Fill"]


class Fill(Task):
    """Hides a share of the tokens and predicts each from all the others, many to many (masked language modelling).

    Equations:
        loss = Σ_{t hidden} −log softmax(o_t)[x_t].

    Metrics: ``loss_nats_per_token`` and ``accuracy``, both over hidden steps. In a validation or test split the same
    steps are always hidden. `unrolled.data.plans.masking.Masking` describes what replaces a hidden token.

    The answer to a row replaces each unknown token with the likeliest token, so write something that training never
    held, such as ``_``, where a token should be filled in. Byte and byte-pair vocabularies have no unknown tokens;
    models that use them can only initialise other models (``init_from``).

    References:
        Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805
    """

    class Options(Part):
        """The options of masked language modelling."""

        mask: float = option(
            0.15, "Share of the tokens to hide.", gt=0, lt=1, also=("mlm_probability", "mask_prob", "masking")
        )

    name: ClassVar[str] = "fill"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Text,)
    continues: ClassVar[bool] = True
    pretrains: ClassVar[bool] = True
    backward_helps: ClassVar[str] = "to predict hidden tokens from both sides"

    def __init__(self, options: Fill.Options, coder: Preprocessor) -> None:
        spec = coder.answer.spec
        check_letters(coder.answer, self.name)
        assert isinstance(spec, Discrete)
        self.options, self.coder, self.outputs = options, coder, spec.size
        self.watch = self.chooses = "loss_nats_per_token"
        self.mixing = "softmax"
        self.batching = Batching(mask=options.mask)

    @staticmethod
    def recognises(question: Question) -> Recognised | None:  # noqa: ARG004 - the signature of every task
        return None  # pretraining is only chosen by name

    @staticmethod
    def roles(question: Question) -> Roles:
        sequences, tokens = question.sequences, ENCODINGS.get("tokens")
        texts = [name for name in sequences.kinds if tokens.recognises(sequences.column(name))]
        plain = [n for n in texts if sequences.traits(n).verbatim]  # the others look more like labels
        names = tuple(dict.fromkeys((*question.target, *question.inputs))) or tuple(plain or texts)
        for name in names:
            sequences.column(name)
            if name not in texts:
                kind, hint = sequences.kinds[name], f"name a column of texts or lists of words with {named('target')}"
                raise DataError(
                    f"is {kind}, but 'fill' only works with texts",
                    file=sequences.origin,
                    column=name,
                    hint=hint,
                )
        if not names:
            raise DataError("has no column of texts or lists of words, which 'fill' needs", file=sequences.origin)
        if len(names) > 1:
            raise UsageError(f"'fill' reads one column, not {', '.join(names)}; choose one with {named('target')}")
        return Roles(names, names[0], FillIn(), {names[0]: "tokens"})

    def measure_training(self, train: Examples) -> Measured:
        return Measured(self, log_frequencies(train))

    def _flat(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        mask = _hidden(outputs, batch)
        return outputs[mask], batch.target[mask]  # (N, V), (N,)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        flat, target = self._flat(outputs, batch)
        return F.cross_entropy(flat, target, reduction="sum"), torch.tensor(len(target))

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        flat, target = self._flat(outputs, batch)
        mask = _hidden(outputs, batch)
        return placed(F.cross_entropy(flat, target, reduction="none"), mask), mask

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        flat, target = self._flat(outputs, batch)
        return Nats(self.watch, *self.loss(outputs, batch)), ChosenTokens(flat.argmax(-1), target)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        name, decode = self.coder.target, self.coder.answer.decode
        ids = batch.inputs[name]  # (B, T)
        blank = scored_steps(batch, ids.shape[1]) & (ids == UNKNOWN)
        chances, best = torch.softmax(outputs[..., SPECIALS:], -1).max(-1)  # (B, T)
        filled = torch.where(blank, best + SPECIALS, ids).cpu().numpy()
        rows = [decode(row[:length]) for row, length in zip(filled, batch.lengths.tolist(), strict=True)]
        sure = [row[at].tolist() for row, at in zip(chances, blank, strict=True)]
        return {f"{name}_predicted": rows, f"{name}_p": sure}

    @property
    def recipe(self) -> dict[str, Any]:
        return {"how": "filled", "column": self.coder.target}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        chances = outputs.part(SPECIALS, self.outputs, 2).apply("Softmax", axis=-1)
        ids = inputs[self.coder.target], ("rows", "steps")
        return {"ids": ids, "p": (chances, ("rows", "steps", self.outputs - SPECIALS))}


def _hidden(outputs: Tensor, batch: Batch) -> Tensor:
    """(B, T) bool: the steps whose symbol was hidden."""
    assert batch.target is not None
    return scored_steps(batch, outputs.shape[1]) & (batch.target != MISSING)


MEMBER = Fill
