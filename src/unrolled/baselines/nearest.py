"""Predicts the target of the most similar training row.

Axes: R rows of training, G distinct symbols and pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import written_rows
from unrolled.baselines._judged import judged_sequences
from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers

__all__ = ["Nearest"]

_ASKED = 2_000  # evenly spaced rows to score; more would take minutes and hardly change the score
_READ = 200_000  # training rows to search


@dataclass(frozen=True, slots=True)
class Nearest:
    r"""Predicts the target of the training row that is most similar to the input.

    .. math:: \hat y(x) = y_r, \quad r = \arg\max_r
        \frac{\sum_{g \in x \cap x_r} \ln^2 (R / n_g)}{\lVert x_r \rVert}, \quad
        \lVert x_r \rVert^2 = \sum_{g \in x_r} \ln^2 (R / n_g)

    where g runs over the distinct symbols and neighbouring pairs of a row, and n_g is the number of training rows with
    g. Ties go to the first row.

    What it shows: how far looking up whole answers goes, without learning to compose an answer from parts.

    Applies to: targets that are sequences with their own length, with an input column of symbols.

    Cost: one sort; a prediction visits every training row that shares a symbol or pair with the input.

    References:
        Cover and Hart 1967, https://doi.org/10.1109/TIT.1967.1053964; weights: Spärck Jones 1972,
        https://doi.org/10.1108/eb026526

    Example:
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.unaligned import Unaligned
        >>> from unrolled.metrics.scoring import scores
        >>> read, asked = Encoded(np.array([0, 1, 2, 3]), np.array([0, 2, 4])), Encoded(np.array([7, 8]), np.arange(3))
        >>> rows = Examples({"x": read}, {"x": Discrete(4)}, asked, Discrete(9), Unaligned())
        >>> scores(Nearest.fit(rows).judge(rows))
        {'token_error_rate': 0.0, 'exact_match': 1.0}
    """

    name: ClassVar[str] = "nearest question"
    column: str
    grams: np.ndarray  # (G,) the distinct symbols and pairs, sorted
    weights: np.ndarray  # (G,) their squared idf
    offsets: np.ndarray  # (G + 1,) bounds of each one's rows in `rows`
    rows: np.ndarray
    norms: np.ndarray  # (R,)
    answers: list[list[int]]

    @staticmethod
    def applies(examples: Examples) -> bool:
        return examples.form.own_length and _column(examples) is not None

    @classmethod
    def fit(cls, train: Examples) -> Self:
        column = _column(train)
        assert column is not None
        answers = written_rows(train)[:_READ]
        grams, rows = _grams(train.inputs[column], np.arange(len(answers)))
        distinct, where = np.unique(grams, return_inverse=True)
        counts = np.bincount(where, minlength=len(distinct))
        order = np.argsort(where, kind="stable")
        weights = np.log(len(answers) / counts) ** 2
        norms = np.sqrt(np.bincount(rows, weights[where], minlength=len(answers)))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return cls(column, distinct, weights, offsets, rows[order], np.maximum(norms, 1e-9), answers)

    def judge(self, part: Examples) -> Iterable[Answers]:
        targets = written_rows(part)
        asked = np.arange(0, len(targets), -(-len(targets) // _ASKED) or 1)
        grams, rows = _grams(part.inputs[self.column], asked)
        answers = [self._answer(grams[rows == number]) for number in range(len(asked))]
        return [judged_sequences(answers, [targets[row] for row in asked], part)]

    def _answer(self, grams: np.ndarray) -> list[int]:
        places = np.searchsorted(self.grams, grams)
        places = places[places < len(self.grams)]
        places = places[np.isin(self.grams[places], grams)]
        shared = np.zeros(len(self.norms))
        for place in places:
            shared[self.rows[self.offsets[place] : self.offsets[place + 1]]] += self.weights[place]
        return self.answers[int((shared / self.norms).argmax())]


def _column(examples: Examples) -> str | None:
    """The first input column of symbols over time."""
    specs = examples.specs.items()
    return next((name for name, spec in specs if isinstance(spec, Discrete) and spec.time), None)


def _grams(column: Encoded, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct symbols and pairs of each row in ``chosen``, and the position in ``chosen`` of each."""
    assert column.offsets is not None
    lengths = np.diff(column.offsets)[chosen]
    rows = np.repeat(np.arange(len(chosen)), lengths)
    at = np.arange(lengths.sum()) + np.repeat(column.offsets[chosen] - np.cumsum(lengths) + lengths, lengths)
    symbols = column.values[at].astype(np.int64)
    same = rows[1:] == rows[:-1]
    size = np.int64(1) << 31
    pairs = (symbols[:-1][same] + 1) * size + symbols[1:][same]
    both = np.stack([np.concatenate([rows, rows[1:][same]]), np.concatenate([symbols, pairs])])
    rows, grams = np.unique(both, axis=1)
    return grams, rows


MEMBER = Nearest
