"""A linear model of a bag of words: which tokens a sequence holds, regardless of their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import classes
from unrolled.baselines._linear_model import LinearModel, SparseRows
from unrolled.batch import Discrete
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.metrics.judged import Answers

__all__ = ["BagOfWords"]

_C = 10.0  # the inverse of the penalty, in scikit-learn's terms
_LARGEST_WEIGHT = 4_000_000  # numbers in the weight matrix; the rarest tokens are left out to stay below it


@dataclass(frozen=True, slots=True)
class BagOfWords:
    r"""Logistic (or ridge) regression on tf-idf weights of the tokens.

    .. math:: x_v = (1 + \ln n_v) \ln\frac{1 + R}{1 + R_v} \quad\text{scaled to } \lVert x \rVert = 1

    :math:`n_v` is the count of token v in the row, :math:`R_v` the number of the R training rows that hold it. Several
    columns of tokens are concatenated; other columns are ignored.

    What it shows: how much can be predicted from words without their order. A recurrent network that does not beat
    this baseline makes no use of word order: it reads "not good" like "good not".

    Applies to: a label, a set of labels or a number for each row, with a column of tokens over time.

    Cost: at most 100 steps of O(tokens · K); 10 000 reviews of 20 words in about a second.

    References:
        Wang and Manning, Baselines and Bigrams, 2012. https://aclanthology.org/P12-2018
        Spärck Jones, 1972 (idf). https://doi.org/10.1108/eb026526

    Example:
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> words = Encoded(np.array([0, 1, 2, 1, 0, 2]), np.array([0, 2, 4, 5, 6]))
        >>> good = Encoded(np.array([1, 0, 1, 0]), None)
        >>> rows = Examples({"x": words}, {"x": Discrete(3)}, good, Discrete(2, time=False), One())
        >>> scores(BagOfWords.fit(rows).judge(rows))["accuracy"]
        1.0
    """

    name: ClassVar[str] = "bag of words"
    weights: np.ndarray  # (V,) idf of every token of every column; 0 for tokens left out
    model: LinearModel

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, One | Set) and bool(_columns(examples))

    @classmethod
    def fit(cls, train: Examples) -> Self:
        _, ids, _ = _counts(train)
        held = np.bincount(ids, minlength=sum(_columns(train).values()))
        weights = np.log((1 + len(train.steps())) / (1 + held))
        most = _LARGEST_WEIGHT // max(1, classes(train))
        rarest = np.argsort(-held, kind="stable")[most:]
        weights[rarest] = 0.0
        weights[held == 0] = 0.0
        return cls(weights, LinearModel.fit(_features(train, weights), train, _C))

    def judge(self, part: Examples) -> Iterable[Answers]:
        return [self.model.judge(_features(part, self.weights), part)]


def _columns(examples: Examples) -> dict[str, int]:
    """The vocabulary of each column of tokens over time, in side sequences too."""
    specs = examples.specs.items()
    return {name: spec.size for name, spec in specs if isinstance(spec, Discrete) and (spec.time or spec.side)}


def _counts(examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, token, count) for each distinct token of each row, sorted by row."""
    columns = _columns(examples)
    total, at = sum(columns.values()), 0
    keys = []
    for name, size in columns.items():
        column = examples.inputs[name]
        row = np.repeat(np.arange(len(examples.steps())), column.lengths())
        keys.append(row * total + at + column.values)
        at += size
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
    return pairs // total, pairs % total, counts


def _features(examples: Examples, weights: np.ndarray) -> SparseRows:
    rows, ids, counts = _counts(examples)
    kept = weights[ids] > 0
    rows, ids, counts = rows[kept], ids[kept], counts[kept]
    values = (1 + np.log(counts)) * weights[ids]
    total = len(examples.steps())
    values /= np.sqrt(np.bincount(rows, np.square(values), total))[rows]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=total))])
    return SparseRows(ids, values.astype(np.float32), offsets, len(weights))


MEMBER = BagOfWords
