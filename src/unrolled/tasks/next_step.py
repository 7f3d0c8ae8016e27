"""Next step: predict the next token, the next set of notes, or the next real vector.

Axes: B rows, T steps, V symbols, W width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import MISSING, Batch, Discrete
from unrolled.config import Part, option
from unrolled.data.encodings.encoding import ENCODINGS, has_time
from unrolled.data.encodings.facets import Items, Numbers, Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.next import Next
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.layers.graph import Shaped, Value, last_steps
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.metrics.judged import Answers, ChosenTokens, CodeLength, Nats, NextValues
from unrolled.models._mixing import Outputs
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.tasks._columns import check_letters, is_number, join
from unrolled.tasks._gaussian import LEAST_LOG_SIGMA, bounded, gaussian_nats
from unrolled.tasks._initial_bias import log_frequencies, log_odds
from unrolled.tasks._items import judge_items, judge_mixed_items, top_items
from unrolled.tasks._step_answers import step_choice, step_gaussian, step_odds
from unrolled.tasks.task import Level, Measured, Mixing, Question, Recognised, Task, placed, scored_steps

__all__ = ["NextStep"]

END = "<end>"  # the answer that a row ends here
_MANY_ITEMS, _SAMPLED_ITEMS = 50_000, 4_096  # above the first number, sampled softmax uses the second


class NextStep(Task):
    """Predicts at every step what the next one will be, many to many.

    Equations:
        tokens: −log softmax(o_t)[x_{t+1}];
        several-hot (all values 0 or 1): Σ_w −log σ(±o_{t,w}), summed over the W channels;
        real vectors: a Gaussian with μ = x_t + o_{t,:W} and log σ = o_{t,W:}, in scaled units.

    Metrics:
        tokens: ``loss_nats_per_token``, ``bits_per_token`` (``bits_per_character`` if a token is a character),
        ``accuracy``;
        items (lists of texts or labels): also ``hit_at_10``, ``ndcg_at_10`` and ``mrr`` of the right item among all
        items, and ``…_sampled`` among 100 sampled items that are not in the row;
        several-hot: ``nll_nats_per_step``;
        real vectors: ``nll_nats_per_step``, ``mse_scaled``, ``mae_scaled``.
    """

    class Options(Part):
        """The options of next-step prediction."""

        sampled_softmax: int | None = option(
            None,
            "Sampled softmax: number of sampled items in each training step; 0 for all items. "
            "Default: 4096 if there are more than 50000 items, else all.",
            ge=0,
            le=9_999_999,
            also=("softmax", "num_sampled", "negative_samples", "n_negatives"),
        )

    name: ClassVar[str] = "next_step"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Text, Items, Numbers)
    tokens: ClassVar[Level] = "characters"
    continues: ClassVar[bool] = True

    def __init__(self, options: NextStep.Options, coder: Preprocessor) -> None:
        self.options, self.coder, self.first_item = options, coder, coder.first_item
        answer, spec = coder.answer, coder.answer.spec
        check_letters(answer, self.name)
        if options.sampled_softmax is not None and self.first_item is None:
            raise UsageError(
                f"{named('sampled_softmax')} only works with lists of items; {coder.target!r} is {answer.kind}"
            )
        self.text = answer if isinstance(answer, Text) else None
        self.layout = "rows" if self.first_item is None else "ranked"
        self.numbers = answer if isinstance(answer, Numbers) else None
        self.steps: Literal["tokens", "several", "real"]
        self.width = 0 if self.numbers is None else len(self.numbers.mean)
        if self.numbers is not None:
            self.steps = "several" if self.numbers.binary else "real"
            self.outputs = self.width if self.numbers.binary else 2 * self.width
            self.watch = "nll_nats_per_step"
        else:
            assert isinstance(spec, Discrete)
            self.steps, self.outputs, self.watch = "tokens", spec.size, "loss_nats_per_token"
        kinds: dict[str, Mixing] = {"tokens": "softmax", "several": "sigmoid", "real": "mean"}
        self.mixing = kinds[self.steps]
        self.chooses = self.watch

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        return None if question.target else Recognised(90, f"no {named('target')} was given")

    @staticmethod
    def roles(question: Question) -> Roles:
        sequences = question.sequences
        inputs = tuple(name for name in question.inputs if not sequences.traits(name).clock)
        names = question.target or inputs or _to_continue(sequences)
        if not names:
            raise DataError(
                "no column holds sequences to continue",
                file=sequences.origin,
                hint=f"choose one with {named('target')}",
            )
        for name in names:
            sequences.column(name)
        if all(is_number(sequences, name) for name in names):
            joined, name = join(sequences, names)
            return Roles((name,), name, Next(), joined=joined)
        if len(names) > 1:
            raise UsageError(f"several columns can be continued: {', '.join(names)}; choose one with {named('target')}")
        (name,) = names
        kinds = {}
        if not _continues(sequences, name):
            if not _is_text(sequences, name):
                raise DataError(
                    "holds one value per row, so there is no next step to predict", file=sequences.origin, column=name
                )
            kinds = {name: "tokens"}  # short repeated texts look like labels, but here they are texts
        return Roles((name, *(other for other in question.inputs if other != name)), name, Next(), kinds)

    def measure_training(self, train: Examples) -> Measured:
        if self.steps == "real":
            return Measured(self)
        if self.steps == "several":
            return Measured(self, log_odds(train))
        given = None if self.text is None else self.text.begin
        count = self._candidates()
        note = f"sampled softmax: each step samples {count:,} of {self.outputs:,} items by their frequency"
        return Measured(self, log_frequencies(train, given), candidates=count, notes=(note,) if count else ())

    def _candidates(self) -> int:
        """The number of items that a training step samples; 0 for all of them."""
        asked = self.options.sampled_softmax
        if self.first_item is None:
            return 0
        return asked if asked is not None else _SAMPLED_ITEMS if self.outputs > _MANY_ITEMS else 0

    def loss(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        mask = scored_steps(batch, batch.target.shape[1])  # (B, T)
        if isinstance(outputs, ItemOutputs):
            return outputs.at(mask).nats(batch.target[mask]), mask.sum()
        if self.steps == "tokens":
            return _token_nats(outputs, torch.where(mask, batch.target, MISSING), "sum"), mask.sum()
        nats, known = self._nats(outputs, batch, mask)
        return nats.sum(), known.sum()

    def each(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        mask = scored_steps(batch, batch.target.shape[1])
        if isinstance(outputs, ItemOutputs):
            nats = [chances.nats for _, chances in outputs.at(mask).pieces(batch.target[mask])]
            return placed(torch.cat([batch.lengths.new_zeros(0).float(), *nats]), mask), mask
        if self.steps == "tokens":
            return _token_nats(outputs, torch.where(mask, batch.target, MISSING), "none").view(mask.shape), mask
        of_values, known = self._nats(outputs, batch, mask)
        return placed(of_values.sum(-1), mask), placed(known, mask)

    def score(self, outputs: Outputs, batch: Batch) -> Tensor:
        if self.steps != "real":
            return super().score(outputs, batch)
        assert isinstance(outputs, Tensor)
        return self._gaussian(outputs, self._current(batch))[0].sum(-1)

    def _nats(self, outputs: Tensor, batch: Batch, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(N, W) for each value of the steps in ``mask``; (N,) whether any value of a step is known."""
        assert batch.target is not None
        o, y = outputs[mask], batch.target[mask]  # (N, O), (N, W)
        known = ~y.isnan()
        if self.steps == "several":
            nats = F.binary_cross_entropy_with_logits(o, torch.where(known, y, 0.0), reduction="none")
            return torch.where(known, nats, 0.0), known.any(-1)
        mean, log_sigma = self._gaussian(o, self._current(batch)[mask])
        return gaussian_nats(mean, log_sigma, y), known.any(-1)

    def judge(self, outputs: Outputs, batch: Batch) -> Answers:
        assert batch.target is not None
        mask = scored_steps(batch, batch.target.shape[1])
        if isinstance(outputs, ItemOutputs):
            assert self.first_item is not None
            read = batch.inputs[self.coder.target]
            return self._with_code(*judge_items(outputs, batch, mask, read, self.first_item))
        nats = Nats(self.watch, *self.loss(outputs, batch))
        if self.steps == "tokens":
            chosen = ChosenTokens(outputs.argmax(-1)[mask], batch.target[mask])
            return self._with_code(nats, chosen)
        if self.steps == "several":
            return (nats,)
        mean, _ = self._gaussian(outputs[mask], self._current(batch)[mask])
        return nats, NextValues(mean, batch.target[mask])

    def judge_mixtures(self, ours: Outputs, theirs: Outputs, shares: Sequence[float], batch: Batch) -> list[Answers]:
        if not isinstance(ours, ItemOutputs) or not isinstance(theirs, ItemOutputs):
            return super().judge_mixtures(ours, theirs, shares, batch)
        assert batch.target is not None and self.first_item is not None
        mask, read = scored_steps(batch, batch.target.shape[1]), batch.inputs[self.coder.target]
        judged = judge_mixed_items(ours, theirs, shares, batch, mask, read, self.first_item)
        return [self._with_code(*found) for found in judged]

    def _with_code(self, nats: Nats, *others: object) -> Answers:
        """With the length of a code for the answers."""
        return nats, *others, CodeLength(nats.total, nats.count, "token" if self.text is None else self.text.unit)

    def answers(self, outputs: Outputs, batch: Batch) -> dict[str, list[Any]]:
        name, last = self.coder.target, (batch.lengths - 1).clamp(min=0)
        rows = torch.arange(len(last), device=last.device)
        o = outputs.at(rows, last).scores() if isinstance(outputs, ItemOutputs) else outputs[rows, last]  # (B, O)
        if self.steps == "tokens":
            chances = torch.softmax(o, -1)
            if self.text is not None:
                chances[:, list(self.text.never)] = 0  # never the answer; the chances of the others stay as they are
            most, best = chances.max(-1)
            columns = {f"{name}_predicted": self._named(best), f"{name}_p": most.tolist()}
            if self.first_item is not None:
                end = self.text.end if self.text is not None and self.text.framed else None
                ids, chances = top_items(o, self.first_item, end)
                columns |= {f"{name}_top": [self._named(row) for row in ids], f"{name}_top_p": chances.tolist()}
            return columns
        if self.steps == "several":
            chances = torch.sigmoid(o)
            return {f"{name}_predicted": (chances > 0.5).int().tolist(), f"{name}_p": chances.tolist()}
        mean, log_sigma = self._gaussian(o, self._current(batch)[rows, last])
        assert self.numbers is not None
        std, shift = (torch.as_tensor(of, device=o.device) for of in (self.numbers.std, self.numbers.mean))
        columns = {f"{name}_predicted": (mean.double() * std + shift).tolist()}
        return {**columns, f"{name}_sigma": (torch.exp(log_sigma).double() * std).tolist()}

    @property
    def recipe(self) -> dict[str, Any]:
        name = self.coder.target
        if self.steps == "tokens":
            never = () if self.text is None else self.text.never
            end = self.text.end if self.text is not None and self.text.framed else None
            return {"how": "next", "column": name, "never": list(never), "end": end, "items": self.first_item}
        if self.steps == "several":
            return {"how": "several", "column": name}
        return {"how": "numbers", "columns": {f"{name}_predicted": ["predicted"], f"{name}_sigma": ["sigma"]}}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        o = last_steps(outputs, lengths)  # (B, O)
        if self.steps != "real":
            chances = o.apply("Softmax", axis=-1) if self.steps == "tokens" else o.apply("Sigmoid")
            return {"p": (chances, ("rows", self.outputs))}
        assert self.numbers is not None
        mean, log_sigma = o.split([self.width, self.width])
        mean = last_steps(inputs[self.coder.target], lengths).part(0, self.width, -1) + mean
        std, shift = o.graph.constant(self.numbers.std), o.graph.constant(self.numbers.mean)
        bounded = o.graph.op("Max", log_sigma, o.graph.constant(LEAST_LOG_SIGMA, np.float32))
        sigma = bounded.apply("Exp").to(np.float64) * std
        shape = "rows", self.width
        return {"predicted": (mean.to(np.float64) * std + shift, shape), "sigma": (sigma, shape)}

    def write_answers(self, program: Program, outputs: Vector) -> None:
        """The probabilities of the next symbol or of each switch, or the Gaussian of each channel."""
        name = self.coder.target
        if self.steps == "tokens":
            step_choice(program, name, outputs, never=() if self.text is None else self.text.never)
        elif self.steps == "several":
            step_odds(program, f"{name}_p", name, outputs)
        else:
            current = program.inputs[name]
            assert isinstance(current, Vector)
            step_gaussian(program, name, outputs, current.part(0, self.width), self.numbers)

    def _named(self, ids: Tensor) -> list[Any]:
        """Each id as a token or an item; the end of a row is ``<end>``."""
        end = None if self.text is None else self.text.end
        asked = ids.tolist()
        decoded = {one: END if one == end else self.coder.answer.decode(np.array([one])) for one in {*asked}}
        # A list of items decodes to a list even for a single step.
        names = {id_: next(iter(one), None) if isinstance(one, list) else one for id_, one in decoded.items()}
        return [names[one] for one in asked]

    def _gaussian(self, outputs: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sigma = outputs[..., : self.width], outputs[..., self.width :]
        return current + mean, bounded(log_sigma)

    def _current(self, batch: Batch) -> Tensor:
        return batch.inputs[self.coder.target][..., : self.width]


def _token_nats(outputs: Tensor, target: Tensor, reduction: str) -> Tensor:
    return F.cross_entropy(outputs.flatten(0, 1), target.flatten(), ignore_index=MISSING, reduction=reduction)


def _to_continue(sequences: Sequences) -> tuple[str, ...]:
    kinds = sequences.kinds
    whole = tuple(name for name in kinds if sequences.traits(name).whole)
    names = tuple(name for name in whole or kinds if _continues(sequences, name))
    return names if names or whole else tuple(name for name in kinds if _is_text(sequences, name))


def _continues(sequences: Sequences, name: str) -> bool:
    return sequences.traits(name).text or has_time(sequences.column(name).type)


def _is_text(sequences: Sequences, name: str) -> bool:
    return bool(ENCODINGS.get("tokens").recognises(sequences.column(name)))


MEMBER = NextStep
