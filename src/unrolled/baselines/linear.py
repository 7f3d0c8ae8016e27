"""A linear model of plain rows, without time or a hidden layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._linear_model import LinearModel, SparseRows
from unrolled.batch import Continuous, Discrete, Spec
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.metrics.judged import Answers

__all__ = ["Linear"]

_C = 1.0  # the inverse of the penalty, in scikit-learn's terms


@dataclass(frozen=True, slots=True)
class Linear:
    r"""Logistic (or ridge) regression on the row's numbers and one-hot categories: :math:`o = x W + b`.

    What it shows: how much each column contributes by itself. It is hard to beat on a few hundred rows; a network
    only gains from nonlinear effects and interactions between columns.

    Applies to: a label, a set of labels or a number for each row, if no column has a time axis.

    Cost: at most 100 steps of O(rows · columns · K).

    References:
        Cox, 1958. https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
        Hoerl and Kennard, 1970 (ridge). https://doi.org/10.1080/00401706.1970.10488634

    Example:
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> hours = Encoded(np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32), None)
        >>> passed = Encoded(np.array([0, 0, 1, 1]), None)
        >>> spec = {"hours": Continuous(1, time=False)}
        >>> rows = Examples({"hours": hours}, spec, passed, Discrete(2, time=False), One())
        >>> scores(Linear.fit(rows).judge(rows))["accuracy"]
        1.0
    """

    name: ClassVar[str] = "linear"
    model: LinearModel

    @staticmethod
    def applies(examples: Examples) -> bool:
        plain = not any(spec.time or spec.side for spec in examples.specs.values())
        return isinstance(examples.form, One | Set) and plain and bool(examples.specs)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        return cls(LinearModel.fit(_features(train), train, _C))

    def judge(self, part: Examples) -> Iterable[Answers]:
        return [self.model.judge(_features(part), part)]


def _features(examples: Examples) -> SparseRows:
    ids, values, size = [], [], 0
    rows = len(examples.steps())
    for name, spec in examples.specs.items():
        column = examples.inputs[name].values
        if isinstance(spec, Continuous):
            ids.append(np.broadcast_to(size + np.arange(spec.width), column.shape))
            values.append(column.astype(np.float32))
        else:
            ids.append(size + column[:, None].astype(np.int64))
            values.append(np.ones((rows, 1), np.float32))
        size += _width(spec)
    joined = np.concatenate(ids, 1)
    offsets = np.arange(rows + 1) * joined.shape[1]
    return SparseRows(joined.reshape(-1), np.concatenate(values, 1).reshape(-1), offsets, size)


def _width(spec: Spec) -> int:
    return spec.size if isinstance(spec, Discrete) else spec.width


MEMBER = Linear
