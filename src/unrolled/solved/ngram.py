"""A 5-gram model: the next token from counts of the four tokens before it.

Axes: B rows, T steps, N steps of all rows, V vocabulary, U n-grams of one order.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import classes, target_of
from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value, concat, is_real, where, zeroed
from unrolled.layers.lengths import real_steps
from unrolled.solved._kneser_ney import KneserNey
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["Ngram", "NgramState"]

_ORDER = 5
_LARGEST = 1 << 24  # probabilities made at a time


class NgramState(NamedTuple):
    """``numbers`` (B, 4) int64: which n-gram of each order the row ends with; -1 if it was never seen."""

    numbers: Tensor


class Ngram(SolvedModel):
    r"""A 5-gram model with interpolated modified Kneser–Ney smoothing, the best of the counting models.

    .. math::
        p_n(w \mid c) = \frac{a(c w) - D(a(c w))}{\sum_v a(c v)} + \gamma(c) \, p_{n-1}(w \mid c'), \qquad
        p_0 = 1 / V

    c' is c without its oldest token; :math:`\gamma(c)` is the mass that the discounts D free, so that p sums to 1. At
    the top order a is the count of the n-gram, in lower orders the number of distinct tokens before it. D has a value
    for counts of 1, of 2, and of 3 or more, estimated from the counts of counts. Contexts stop at the start of the row,
    which counts as a token. The outputs are the logarithms of p.

    What it shows: how much can be predicted from the last four tokens: the spelling of common words from characters,
    common phrases from words. A recurrent network has to beat it to show that its state holds more; on small data it
    often does not, and mixed with it, it is better than alone.

    Applies to: the next token of a text.

    Cost: solving O(N log N) by sorting, about 1 µs per token and order; a step O(V + log U) per order for U distinct
    n-grams; memory about 16 bytes per distinct n-gram.

    References:
        Kneser and Ney, 1995. https://doi.org/10.1109/ICASSP.1995.479394
        Chen and Goodman, 1998, modified and interpolated. https://dash.harvard.edu/handle/1/25104739
        Heafield, KenLM, 2011, the fallback. https://aclanthology.org/W11-2123
    """

    class Options(Part):
        """Its sizes: the number of n-grams of each order above 1."""

        types: tuple[int, ...] = ()

    name = "5-gram"
    first: Tensor

    def __init__(self, task: Task, options: Ngram.Options) -> None:
        super().__init__(task, options)
        self._target, self.size = task.coder.target, task.outputs
        self.register_buffer("first", torch.zeros(self.size + 1))
        contexts = (self.size + 1, *options.types)
        for n, (types, below) in enumerate(zip(options.types, contexts, strict=False), 2):
            self.register_buffer(f"keys_{n}", torch.zeros(types, dtype=torch.int64))
            self.register_buffer(f"chances_{n}", torch.zeros(types))
            self.register_buffer(f"back_{n}", torch.zeros(below))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next token of a text."""
        text = task.mixing == "softmax" and train.first_item is None
        return text and train.form.predicts_next and bool(len(target_of(train).values))

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Ngram.Options, seed: int) -> Self:
        """Count the n-grams of the training split."""
        target = target_of(train)
        assert target.offsets is not None
        found = KneserNey.fit(target.values, target.offsets, classes(train), _ORDER)
        model = cls(task, cls.Options(types=tuple(len(order.keys) for order in found.orders)))
        weights = {"first": torch.from_numpy(found.first)}
        for n, order in enumerate(found.orders, 2):
            weights |= {
                f"keys_{n}": torch.from_numpy(order.keys),
                f"chances_{n}": torch.from_numpy(order.chances),
                f"back_{n}": torch.from_numpy(order.back),
            }
        model.load_state_dict(weights)
        return model

    def initial_state(self, batch: int) -> NgramState:
        """Before the first step: the mark of a row's start."""
        numbers = torch.full((batch, _ORDER - 1), -1, dtype=torch.int64, device=self.first.device)
        numbers[:, 0] = self.size
        return NgramState(numbers)

    def run(self, batch: Batch, state: NgramState | None = None) -> tuple[Tensor, NgramState]:
        """The log probabilities (B, T, V) of the token after each step."""
        tokens, lengths = batch.inputs[self._target], batch.lengths
        before = self.initial_state(len(tokens)) if state is None else state
        numbers = self._numbers(tokens, before.numbers)  # (B, T + 1, 4)
        real = real_steps(lengths, tokens.shape[1])
        outputs = self.first.new_zeros(*tokens.shape, self.size)
        outputs[real] = self._logs(numbers[:, 1:][real])
        rows = torch.arange(len(tokens), device=tokens.device)
        return outputs, NgramState(numbers[rows, lengths])

    def step(self, inputs: dict[str, Tensor], state: NgramState) -> tuple[Tensor, NgramState]:
        """The log probabilities (B, V) of the token after this one."""
        numbers = self._numbers(inputs[self._target][:, None], state.numbers)[:, 1]
        return self._logs(numbers), NgramState(numbers)

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`; one step after another, since a step has numbers for the whole vocabulary."""
        tokens = inputs[self._target]
        real = where(is_real(tokens, lengths), tokens, 0)
        before = tokens.graph.constant(self.initial_state(1).numbers) if state is None else state.numbers
        before = before.expand(tokens.size(0), _ORDER - 1)
        numbers = self._numbers_over(real, before)  # (B, T + 1, 4)
        steps = numbers.part(1, tokens.size(1) + 1, 1)

        def step(_: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
            # The shape is written out, since onnxruntime before 1.24 does not find it.
            return [], [self._chances_over(now[0]).apply("Log").reshape(-1, self.size)]

        _, (logs,) = tokens.graph.scan([], [steps], step)
        after: Any = numbers.rows(lengths.unsqueeze(1)).squeeze(1)
        return zeroed(logs, lengths), NgramState(after)

    def _numbers(self, tokens: Tensor, before: Tensor) -> Tensor:
        """(B, T + 1, 4): the n-gram of each order that ends before the first step and at each step."""
        columns = [torch.cat([before[:, :1], tokens], 1)]
        for n in range(2, _ORDER):
            found = self._find(n, columns[-1][:, :-1], tokens)
            columns.append(torch.cat([before[:, n - 1 : n], found], 1))
        return torch.stack(columns, -1)

    def _find(self, n: int, context: Tensor, token: Tensor) -> Tensor:
        """The number of the n-gram ``context token``; -1 if it was never seen."""
        if n > 1 + len(self.options.types):
            return torch.full_like(token, -1)
        keys = self.get_buffer(f"keys_{n}")
        key = context * (self.size + 1) + token
        at = torch.searchsorted(keys, key).clamp(max=len(keys) - 1)
        return torch.where((context >= 0) & (keys[at] == key), at, -1)

    def _logs(self, numbers: Tensor) -> Tensor:
        """(N, 4) -> (N, V): the log probability of each token after the n-grams ``numbers``."""
        size = max(1, _LARGEST // self.size)
        parts = [self._chances(part).log() for part in torch.split(numbers, size)]
        return torch.cat(parts) if parts else self.first.new_zeros(0, self.size)

    def _chances(self, numbers: Tensor) -> Tensor:
        chances = self.first[: self.size].repeat(len(numbers), 1)
        for n in range(2, 2 + len(self.options.types)):
            rows = (numbers[:, n - 2] >= 0).nonzero()[:, 0]
            context = numbers[rows, n - 2]
            chances[rows] *= self.get_buffer(f"back_{n}")[context, None]
            keys, first = self.get_buffer(f"keys_{n}"), context * (self.size + 1)
            begin, end = torch.searchsorted(keys, first), torch.searchsorted(keys, first + self.size)
            counts = end - begin
            starts = counts.cumsum(0) - counts
            at = torch.arange(int(counts.sum()), device=keys.device) + (begin - starts).repeat_interleave(counts)
            tokens = keys[at] - first.repeat_interleave(counts)
            chances[rows.repeat_interleave(counts), tokens] = self.get_buffer(f"chances_{n}")[at]
        return chances

    def _numbers_over(self, tokens: Value, before: Value) -> Value:
        """`_numbers` as operators."""
        g, steps = tokens.graph, tokens.size(1)
        columns = [concat([before.part(0, 1, 1), tokens], 1)]
        for n in range(2, _ORDER):
            found = tokens * 0 - 1
            if n <= 1 + len(self.options.types):
                context = columns[-1].part(0, steps, 1)
                keys = g.constant(self.get_buffer(f"keys_{n}"))
                at, same = _place(keys, context * (self.size + 1) + tokens)
                found = where((context >= 0) & same, at, -1)
            columns.append(concat([before.part(n - 1, n, 1), found], 1))
        return concat([column.unsqueeze(2) for column in columns], 2)

    def _chances_over(self, numbers: Value) -> Value:
        """`_chances` as operators: (B, 4) -> (B, V)."""
        g = numbers.graph
        chances, every = g.constant(self.first[None, : self.size]), g.constant(np.arange(self.size))
        for n in range(2, 2 + len(self.options.types)):
            context = numbers.part(n - 2, n - 1, 1)  # (B, 1)
            known, place = context >= 0, g.op("Max", context, 0)
            chances = chances * where(known, g.op("Gather", g.constant(self.get_buffer(f"back_{n}")), place), 1.0)
            at, same = _place(g.constant(self.get_buffer(f"keys_{n}")), place * (self.size + 1) + every)  # (B, V)
            chances = where(known & same, g.op("Gather", g.constant(self.get_buffer(f"chances_{n}")), at), chances)
        return chances


def _place(keys: Value, wanted: Value) -> tuple[Value, Value]:
    """The place of the last of the sorted ``keys`` that is at most ``wanted``, or 0, and whether it is ``wanted``."""
    g, count = keys.graph, len(keys.graph.constants[keys.name])
    at = wanted * 0
    for power in reversed(range((count - 1).bit_length())):
        further = g.op("Min", at + (1 << power), count - 1)
        at = where(g.op("Gather", keys, further) <= wanted, further, at)
    return at, g.op("Equal", g.op("Gather", keys, at), wanted)


MEMBER = Ngram
