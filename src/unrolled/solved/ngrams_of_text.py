"""A linear model of the n-grams of texts: words, pairs of words, and the letters within them.

Axes: B rows, F features, K outputs, G groups of features, N distinct features of a row.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from unrolled.baselines._arrays import classes
from unrolled.batch import Batch, lengths_of, letters_of
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.solved._linear_rows import fit_linear
from unrolled.solved._row_targets import answer_of, asked_rows, row_targets, score_of
from unrolled.solved._sparse_rows import SparseRows
from unrolled.solved._token_streams import Occurrences, TextColumn, folded_letters, text_columns
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["NgramsOfText"]

_MOST = 300_000  # features
_LARGEST = 4_000_000  # features times outputs
_TOKENS = 1_000_000  # of the training split that are read


class Bag(NamedTuple):
    """What a row holds so far: its distinct features, ascending.

    Attributes:
        ids: (B, N) int64, the number of each feature plus 1; 0 pads a row.
        counts: (B, N) int64, how often each occurs.
    """

    ids: Tensor
    counts: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        """Both: zeros behind a row change nothing."""
        return self._fields

    @property
    def held(self) -> Tensor:
        """(B,) int64: how many features each row has."""
        return (self.ids > 0).sum(1)


class BagState(NamedTuple):
    """The state: the last tokens of each column of the main sequence, and the features of each row.

    Attributes:
        before: per column (B, C) int64, the numbers of the last tokens; 0 where there is none.
        main: the features of the main sequence.
        sides: those of side sequences, which are read once.
    """

    before: tuple[Tensor, ...]
    main: Bag
    sides: Bag


class NgramsOfText(SolvedModel):
    r"""Logistic (or ridge) regression on tf-idf weights of n-grams of words and of the letters within words.

    .. math:: x_f = (1 + \ln n_f) \Bigl(1 + \ln\frac{1 + R}{1 + R_f}\Bigr) \quad
        \text{scaled to } \lVert x_g \rVert = 1 \text{ in each group } g, \qquad o = x W + b

    :math:`n_f` is the count of n-gram f in the row so far, :math:`R_f` the number of the R training rows that hold it.
    Words and pairs of words are one group, and n-grams of 2 to 5 letters within a word, with a mark for each of its
    ends, another one; of columns whose words have no letters it reads n-grams of up to 3 tokens, or 5 where there are
    few different ones. Only n-grams of at least two rows are features.

    The penalty of W, and whether features are multiplied by log-count ratios, are chosen by cross-validation on the
    training rows, by the F1 score where the task is judged by it; then all labels have the same weight in the loss.
    A temperature on the left-out outputs makes probabilities honest.

    Its state is the features that a row holds, so it streams: a step costs as much as the row has distinct n-grams.

    Args:
        task: one label, one number, or a set of labels for each row.
        options: with the number of features.

    Shape:
        columns of tokens (B, T), with their letters (B, T, L) if known -> (B, K); see `SolvedModel`.

    Cost:
        10 000 short texts in about ten seconds; at most a million tokens of the training split are read.

    References:
        Wang and Manning, Baselines and Bigrams, 2012. https://aclanthology.org/P12-2018
        Joulin et al., Bag of Tricks (n-grams of letters), 2017. https://aclanthology.org/E17-2068
    """

    class Options(Part):
        """Its size: the most n-grams that it reads; ``None``: all of two rows or more, up to 300,000."""

        features: int | None = None

    name: ClassVar[str] = "n-grams of text"
    effort = 1

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self.texts = text_columns(task.coder.specs)
        size, self.outputs = options.features or 0, task.outputs
        self.weight = nn.Parameter(torch.zeros(size, task.outputs), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(task.outputs), requires_grad=False)
        self.keys: Tensor
        self.idf: Tensor
        self.group: Tensor
        self.register_buffer("keys", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("idf", torch.zeros(size))
        self.register_buffer("group", torch.zeros(size, dtype=torch.int64))
        for column in self.texts:
            fold = folded_letters(task.coder, column) if column.spelled else torch.zeros(0, dtype=torch.int64)
            self.register_buffer(f"fold{column.group}", fold)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a label, a set of labels or a number for each row, with a column of tokens over time or beside."""
        known = classes(train) or 1
        fits = isinstance(train.form, One | Set) and task.outputs == known and bool(text_columns(train.specs))
        return fits and len(asked_rows(train)) > 0

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Solve it on the training split.

        Args:
            task, train, options: as for every solved model.
            seed: for the folds, and the rows that are read of a large split.
        """
        train = _portion(train, seed)
        draft = cls(task, options.model_copy(update={"features": 0}))
        most = min(options.features or _MOST, max(1, _LARGEST // task.outputs))
        keys, group, rows = draft._counted(train, most)
        held = np.bincount(rows.ids, minlength=len(keys))
        model = cls(task, options.model_copy(update={"features": len(keys)}))
        model.keys.copy_(torch.from_numpy(keys))
        model.group.copy_(torch.from_numpy(group))
        model.idf.copy_(1 + torch.from_numpy(np.log((1 + len(train.steps())) / (1 + held))))
        of = np.repeat(np.arange(len(rows.offsets) - 1), np.diff(rows.offsets))
        counts, ids = torch.from_numpy(rows.values), torch.from_numpy(rows.ids)
        values = model._weighed(torch.from_numpy(of), ids, counts, len(rows.offsets) - 1).numpy()
        asked, target, answer = asked_rows(train), row_targets(train), answer_of(train)
        found = fit_linear(
            SparseRows(rows.ids, values, rows.offsets, rows.size).take(asked),
            target,
            task.outputs,
            answer,
            score_of(task, answer),
            balanced=answer == "label" and "f1" in task.chooses,
            seed=seed,
        )
        model.weight.copy_(found.weight)
        model.bias.copy_(found.bias)
        return model

    def initial_state(self, batch: int) -> BagState:
        """No feature yet."""
        none = torch.zeros(batch, 0, dtype=torch.int64, device=self.weight.device)
        main = [column for column in self.texts if column.axis is None]
        return BagState(tuple(none.new_zeros(batch, c.longest - 1) for c in main), Bag(none, none), Bag(none, none))

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """The outputs (B, K) for the rows so far, and the state after them."""
        now: BagState = self.initial_state(len(batch.lengths)) if state is None else state
        main: list[Occurrences] = []
        sides: list[Occurrences] = []
        before, given = list(now.before), iter(range(len(now.before)))
        for column in self.texts:
            fold = self._fold(column)
            if column.axis is None:
                at = next(given)
                stream, before[at] = column.of_batch(batch, before[at], fold)
                main += column.occurrences(stream)
            elif column.name in batch.inputs:
                gap = now.main.ids.new_zeros(len(batch.lengths), column.longest - 1)
                sides += column.occurrences(column.of_batch(batch, gap, fold)[0])
        beside = self._merged(Bag(now.sides.ids[:, :0], now.sides.counts[:, :0]), sides) if sides else now.sides
        after = BagState(tuple(before), self._merged(now.main, main), beside)
        return self._outputs(after), after

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """One token of each column of the main sequence, to the outputs (B, K) for the rows so far."""
        sides = [(column.name, column.axis) for column in self.texts if column.axis is not None]
        beside = {one for name, axis in sides for one in (name, letters_of(name), lengths_of(axis))}
        timed = {name: column[:, None] for name, column in inputs.items() if name not in beside}
        rows = len(next(iter(inputs.values())))
        ones = torch.ones(rows, dtype=torch.int64, device=self.weight.device)
        return self.run(Batch({**inputs, **timed}, ones, ones), state)

    def _fold(self, column: TextColumn) -> Tensor | None:
        return self.get_buffer(f"fold{column.group}") if column.spelled else None

    def _counted(self, train: Examples, most: int) -> tuple[np.ndarray, np.ndarray, SparseRows]:
        """The kept n-grams, ascending, the group of each, and the counts of all rows."""
        found: list[tuple[Any, ...]] = []
        total = len(train.steps())
        for column in self.texts:
            for one in column.occurrences(column.of_examples(train, self._fold(column))):
                size = max(1, len(one.keys))
                pairs, counts = np.unique((one.rows * size + one.at).numpy(), return_counts=True)
                held = np.bincount(pairs % size, minlength=len(one.keys))
                found.append((pairs // size, pairs % size, counts, one.keys.numpy(), held, np.int64(one.group)))
        every = np.concatenate([held for *_, held, _ in found])
        least = 2 if (every > 1).any() else 1
        if (every >= least).sum() > most:
            least = max(least, int(np.sort(every)[-most - 1]) + 1)
        kept = [keys[held >= least] for *_, keys, held, _ in found]
        groups = [np.full(len(keys), group) for keys, (*_, group) in zip(kept, found, strict=True)]
        keys, first = np.unique(np.concatenate(kept), return_index=True)
        parts = []
        for rows, at, counts, own, held, _ in found:
            ids = np.where(held >= least, np.searchsorted(keys, own), -1)[at]
            parts.append((rows[ids >= 0], ids[ids >= 0], counts[ids >= 0]))
        rows, ids, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(rows * len(keys) + ids)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=total))])
        sparse = SparseRows(ids[order], counts[order].astype(np.float32), offsets, len(keys))
        return keys, np.concatenate(groups)[first], sparse

    def _merged(self, bag: Bag, found: list[Occurrences]) -> Bag:
        """The features of each row with those that were found."""
        size, rows = len(self.keys) + 1, len(bag.ids)
        if size == 1 or not rows:
            return bag
        held = bag.ids.nonzero(as_tuple=True)
        pairs, counts = [held[0] * size + bag.ids[held]], [bag.counts[held]]
        for one in found:
            place = torch.searchsorted(self.keys, one.keys).clamp_max(size - 2)
            ids = torch.where(self.keys[place] == one.keys, place + 1, 0)[one.at]
            pairs.append((one.rows * size + ids)[ids > 0])
            counts.append(torch.ones_like(pairs[-1]))
        distinct, at = torch.unique(torch.cat(pairs), return_inverse=True)
        total = torch.zeros_like(distinct).index_add(0, at, torch.cat(counts))
        row, each = distinct // size, torch.bincount(distinct // size, minlength=rows)
        column = torch.arange(len(distinct), device=row.device) - (each.cumsum(0) - each)[row]
        empty = bag.ids.new_zeros(rows, int(each.max()))
        return Bag(empty.index_put((row, column), distinct % size), empty.index_put((row, column), total))

    def _outputs(self, state: BagState) -> Tensor:
        ids = torch.cat([state.main.ids, state.sides.ids], 1)
        counts = torch.cat([state.main.counts, state.sides.counts], 1)
        row, column = ids.nonzero(as_tuple=True)
        found, total = ids[row, column] - 1, counts[row, column]
        values = self._weighed(row, found, total.float(), len(ids))
        each = torch.bincount(row, minlength=len(ids))
        offsets = torch.cat([each.new_zeros(1), each.cumsum(0)])
        product = functional.embedding_bag(
            found, self.weight, offsets, mode="sum", per_sample_weights=values, include_last_offset=True
        )
        return product + self.bias

    def _weighed(self, rows: Tensor, ids: Tensor, counts: Tensor, total: int) -> Tensor:
        """The weight of each feature of each row, scaled to length 1 in each group of the row."""
        values = (1 + counts.log()) * self.idf[ids]
        groups = 2 * len(self.texts)
        place = rows * groups + self.group[ids]
        squares = torch.zeros(total * groups, device=values.device).index_add(0, place, values.square())
        return values / squares.sqrt()[place]


def _portion(train: Examples, seed: int) -> Examples:
    """Rows with at most about a million tokens, drawn at random."""
    tokens = np.cumsum(train.steps())
    if not len(tokens) or tokens[-1] <= _TOKENS:
        return train
    order = np.random.default_rng(seed).permutation(len(tokens))
    kept = max(1, int(np.searchsorted(np.cumsum(train.steps()[order]), _TOKENS)))
    return take_rows(train, np.sort(order[:kept]))


MEMBER = NgramsOfText
