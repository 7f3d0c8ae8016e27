"""Answers a row as the most similar training row was answered.

Axes: R rows of training, B rows, T steps, G distinct symbols and pairs, E symbols and pairs of all rows, U symbols of
an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch, Discrete, Spec
from unrolled.config import Part
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.layers.lengths import real_steps
from unrolled.solved._whole_answers import WholeAnswers, answers_of
from unrolled.tasks.task import Task

__all__ = ["Nearest"]

_READ = 20_000  # training rows to search: an answer takes about 3 ms
_SIZE = 1 << 31  # above every symbol


class Nearest(WholeAnswers):
    r"""The answer to the training row that is most similar to the input.

    .. math:: \hat y(x) = y_r, \quad r = \arg\max_r
        \frac{\sum_{g \in x \cap x_r} \ln^2 (R / n_g)}{\lVert x_r \rVert}, \quad
        \lVert x_r \rVert^2 = \sum_{g \in x_r} \ln^2 (R / n_g)

    where g runs over the distinct symbols and neighbouring pairs of a row, and n_g is the number of training rows with
    g. Ties go to the first row.

    What it shows: how far looking up whole answers goes, without learning to compose an answer from parts.

    Applies to: targets that are sequences with their own length, with an input column of symbols.

    Cost: one sort; a prediction visits every training row that shares a symbol or pair with the input. Of more than
    20 000 training rows as many, evenly spaced, are searched.

    References:
        Cover and Hart 1967, https://doi.org/10.1109/TIT.1967.1053964; weights: Spärck Jones 1972,
        https://doi.org/10.1108/eb026526
    """

    class Options(Part):
        """Its sizes: distinct symbols and pairs, those of all rows, rows, and symbols of all answers."""

        grams: int = 0
        entries: int = 0
        rows: int = 0
        symbols: int = 0

    name = "nearest question"
    options: Options
    grams: Tensor  # (G,) the distinct symbols and pairs, sorted
    weights: Tensor  # (G,) their squared idf
    begins: Tensor  # (G + 1,) bounds of each one's rows in `rows`
    rows: Tensor  # (E,)
    norms: Tensor  # (R,)
    written: Tensor  # the answers, end to end
    bounds: Tensor  # (R + 1,) of each answer

    def __init__(self, task: Task, options: Options) -> None:
        super().__init__(task, options)
        self._column = _column(task.coder.specs)
        sizes = {"grams": options.grams, "begins": options.grams + 1, "written": options.symbols}
        for name, size in {**sizes, "bounds": options.rows + 1}.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.int64))
        self.register_buffer("rows", torch.zeros(options.entries, dtype=torch.int32))
        self.register_buffer("weights", torch.zeros(options.grams, dtype=torch.float64))
        self.register_buffer("norms", torch.zeros(options.rows, dtype=torch.float64))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for answers that are sequences with their own length, to a sequence of symbols."""
        return (
            isinstance(task.coder.answer, Text)
            and train.form.own_length
            and _column(train.specs) is not None
            and len(train.steps()) > 0
        )

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Options, seed: int) -> Self:
        """Sort the symbols and pairs of all rows."""
        column = _column(train.specs)
        assert column is not None
        if (count := len(train.steps())) > _READ:  # evenly spaced, as rows may be sorted
            train = take_rows(train, np.arange(_READ) * count // _READ)
        answers = answers_of(task, train)
        rows, grams = _of_rows(train.inputs[column], len(answers))
        distinct, where = np.unique(grams, return_inverse=True)
        counts = np.bincount(where, minlength=len(distinct))
        weights = np.log(len(answers) / counts) ** 2
        norms = np.sqrt(np.bincount(rows, weights[where], minlength=len(answers)))
        flat = [symbol for answer in answers for symbol in answer]
        model = cls(task, cls.Options(grams=len(distinct), entries=len(grams), rows=len(answers), symbols=len(flat)))
        found = {
            "grams": distinct,
            "weights": weights,
            "begins": np.concatenate([[0], np.cumsum(counts)]),
            "rows": rows[np.argsort(where, kind="stable")],
            "norms": np.maximum(norms, 1e-9),
            "written": np.array(flat, np.int64),
            "bounds": np.concatenate([[0], np.cumsum([len(answer) for answer in answers])]),
        }
        for name, values in found.items():
            model.get_buffer(name).copy_(torch.from_numpy(values))
        model._with_frequencies(task, train)
        return model

    @property
    def longest(self) -> int:
        """The most symbols of an answer."""
        return int(self.bounds.diff().max())

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The answers to the nearest rows."""
        assert self._column is not None
        symbols = batch.inputs[self._column]
        found = [self._nearest(row[:size]) for row, size in zip(symbols, batch.lengths.tolist(), strict=True)]
        nearest = torch.tensor(found, dtype=torch.int64, device=symbols.device)
        begins, sizes = self.bounds[nearest], self.bounds[nearest + 1] - self.bounds[nearest]
        real = real_steps(sizes, int(sizes.max()) if len(sizes) else 0)
        at = begins[:, None] + torch.arange(real.shape[1], device=symbols.device)
        return self.written[torch.where(real, at, 0)] if real.any() else torch.zeros_like(at), sizes

    def _nearest(self, symbols: Tensor) -> int:
        """The number of the row that is most like ``symbols`` (T,)."""
        grams = torch.cat([symbols, (symbols[:-1] + 1) * _SIZE + symbols[1:]]).unique()  # type: ignore[no-untyped-call]
        if not len(self.grams):
            return 0  # no row of training has a symbol
        at = torch.searchsorted(self.grams, grams).clamp(max=len(self.grams) - 1)
        at = at[self.grams[at] == grams]
        counts = self.begins[at + 1] - self.begins[at]
        places = torch.arange(int(counts.sum()), device=at.device)
        places = places + (self.begins[at] - counts.cumsum(0) + counts).repeat_interleave(counts)
        shared = torch.zeros_like(self.norms)
        shared.index_add_(0, self.rows[places], self.weights[at].repeat_interleave(counts))
        return int((shared / self.norms).argmax())


def _column(specs: Mapping[str, Spec]) -> str | None:
    """The first input column of symbols over time."""
    timed = (name for name, spec in specs.items() if isinstance(spec, Discrete) and spec.time and spec.side is None)
    return next(timed, None)


def _of_rows(column: Encoded, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct symbols and pairs of the first ``rows`` rows: the row of each, and its number."""
    assert column.offsets is not None
    bounds = column.offsets[: rows + 1]
    symbols = column.values[: bounds[-1]].astype(np.int64)
    row = np.repeat(np.arange(rows), np.diff(bounds))
    same = row[1:] == row[:-1]
    pairs = (symbols[:-1][same] + 1) * _SIZE + symbols[1:][same]
    both = np.stack([np.concatenate([row, row[1:][same]]), np.concatenate([symbols, pairs])])
    row, grams = np.unique(both, axis=1)
    return row, grams


MEMBER = Nearest
