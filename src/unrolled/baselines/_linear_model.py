"""Logistic and ridge regression on sparse rows, fitted by L-BFGS, shared by `bag_of_words` and `linear`.

Axes: R rows, F features, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.baselines._arrays import (
    asked_values,
    classes,
    label_sets,
    target_of,
)
from unrolled.baselines._judged import judged_labels, judged_numbers, judged_sets
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.metrics.judged import Answers

__all__ = ["LinearModel", "SparseRows"]

_STEPS = 100


@dataclass(frozen=True, slots=True)
class SparseRows:
    """A sparse matrix of features, in compressed rows.

    Shape:
        ids: (nonzero,) int64 in [0, size), the nonzero features of each row, row after row.
        values: (nonzero,) float32, their values.
        offsets: (R + 1,) int64, the bounds of the rows.
    """

    ids: np.ndarray
    values: np.ndarray
    offsets: np.ndarray
    size: int

    def times(self, weight: Tensor) -> Tensor:
        """The product with ``weight`` (F, K): (R, K)."""
        ids, values = torch.from_numpy(self.ids), torch.from_numpy(self.values)
        starts = torch.from_numpy(self.offsets)
        return F.embedding_bag(
            ids, weight, starts, mode="sum", per_sample_weights=values.to(weight.dtype), include_last_offset=True
        )

    def take(self, rows: np.ndarray) -> SparseRows:
        """The rows at ``rows``, in that order."""
        counts = np.diff(self.offsets)[rows]
        ends = np.cumsum(counts)
        at = np.repeat(self.offsets[rows] - (ends - counts), counts) + np.arange(counts.sum())
        return SparseRows(self.ids[at], self.values[at], np.concatenate([[0], ends]), self.size)

    def transposed(self) -> SparseRows:
        """The same matrix with rows and features exchanged."""
        rows = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        order = np.argsort(self.ids, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(self.ids, minlength=self.size))])
        return SparseRows(rows[order], self.values[order], offsets, len(self.offsets) - 1)


@dataclass(frozen=True, slots=True)
class LinearModel:
    r"""A linear model :math:`o = x W + b` with weights (F, K) and bias (K,) that minimise the mean loss plus a penalty.

    .. math:: \frac1R \sum_r \ell(o_r, y_r) + \frac{1}{2 C R} \sum_{fk} W_{fk}^2

    ℓ is the softmax cross-entropy for one label, the sum of sigmoid cross-entropies for a set of labels, and half the
    squared error for a number. C is defined as in scikit-learn.
    """

    weight: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, rows: SparseRows, train: Examples, c: float) -> Self:
        """Fit to the targets of ``train`` (of the form `One` or `Set`); deterministic.

        Cost: at most 100 L-BFGS steps of O(nonzeros · K) each.
        """
        outputs, target = max(1, classes(train)), _target(train)
        if isinstance(train.form, One):
            rows = rows.take(asked_values(train))
        weight = torch.zeros(rows.size, outputs, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [weight, bias], max_iter=_STEPS, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
        )
        penalty = 0.5 / (c * max(1, len(target)))

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = _loss(rows.times(weight) + bias, target, train) + penalty * weight.square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        with torch.enable_grad():
            optimiser.step(loss)  # type: ignore[no-untyped-call]
        return cls(weight.detach(), bias.detach())

    def judge(self, rows: SparseRows, part: Examples) -> Answers:
        """Its predictions for ``part``, together with the targets."""
        outputs = rows.times(self.weight) + self.bias
        if isinstance(part.form, Set):
            return judged_sets(torch.sigmoid(outputs).numpy(), label_sets(part))
        known = asked_values(part)
        outputs, target = outputs[torch.from_numpy(known)], target_of(part).values[known]
        if not classes(part):
            return judged_numbers(part, outputs[:, 0].numpy(), target[:, 0])
        logs = torch.log_softmax(outputs, -1).numpy()
        return judged_labels(part, -logs[np.arange(len(target)), target], logs.argmax(1), target, "label")


def _target(train: Examples) -> Tensor:
    """The known targets: (R, K) float64 for sets, (R, 1) float64 for numbers, (R,) int64 for labels."""
    if isinstance(train.form, Set):
        return torch.from_numpy(label_sets(train).astype(np.float64))
    values = target_of(train).values[asked_values(train)]
    return torch.from_numpy(values.astype(np.int64) if classes(train) else values[:, :1].astype(np.float64))


def _loss(outputs: Tensor, target: Tensor, train: Examples) -> Tensor:
    if isinstance(train.form, Set):
        return F.binary_cross_entropy_with_logits(outputs, target, reduction="sum") / max(1, len(target))
    if classes(train):
        return F.cross_entropy(outputs, target)
    return 0.5 * (outputs - target).square().mean()
