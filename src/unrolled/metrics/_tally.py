"""Which label was given for which, and how sure the model was: what a table of errors is made of.

Axes: N answers, K labels, B bins of confidence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

__all__ = ["Bin", "Tally", "auroc", "average_precision"]

_BINS = 10
_MOST = 500  # labels of which a table of errors is kept


class Bin(NamedTuple):
    """The answers of about one confidence: their number, mean confidence, and the share that is right."""

    answers: int
    confidence: float
    accuracy: float


class Tally:
    """Counts answers that are one of K labels, batch by batch, in memory that does not grow with their number.

    For two labels the probability of the second is kept of every answer, 8 bytes each.

    Attributes:
        errors: (K, K) int64, how often label i was answered with label j; for more than 500 labels only the diagonal
            and the sums over rows and columns are kept, and it is ``None``.
        support, predicted, right: (K,) int64, how often each label was the right one, was given, and was both.

    Example:
        >>> import torch
        >>> tally = Tally(2)
        >>> chances = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> tally.add(chances.argmax(1), torch.tensor([0, 1, 1]), chances)
        >>> tally.errors.tolist(), tally.recall().tolist()
        ([[1, 0], [1, 1]], [1.0, 0.5])
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.errors = np.zeros((classes, classes), np.int64) if classes <= _MOST else None
        self.support, self.predicted, self.right = (np.zeros(classes, np.int64) for _ in range(3))
        self._bins = np.zeros((_BINS, 3))
        self._scores: list[np.ndarray] = []
        self._truths: list[np.ndarray] = []

    def add(self, chosen: Tensor, right: Tensor, chances: Tensor | None) -> None:
        """Count a batch.

        Args:
            chosen, right: (N,) int64 in [0, K).
            chances: (N, K) float, the probability of each label; ``None`` if the model gives none.
        """
        given, true, size = chosen.cpu().numpy(), right.cpu().numpy(), self.classes
        if self.errors is not None:
            self.errors += np.bincount(true * size + given, minlength=size * size).reshape(size, size)
        self.support += np.bincount(true, minlength=size)
        self.predicted += np.bincount(given, minlength=size)
        self.right += np.bincount(true[true == given], minlength=size)
        if chances is None or not len(true):
            return
        sure = chances.gather(1, chosen[:, None])[:, 0].double().cpu().numpy()
        bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
        for column, weights in enumerate((np.ones_like(sure), sure, (true == given).astype(np.float64))):
            self._bins[:, column] += np.bincount(bins, weights, _BINS)
        if size == 2:
            self._scores.append(chances[:, 1].double().cpu().numpy())
            self._truths.append(true == 1)

    def precision(self) -> np.ndarray:
        """(K,) the share of the answers with a label that are right; 0 if there are none."""
        return self.right / np.maximum(self.predicted, 1)

    def recall(self) -> np.ndarray:
        """(K,) the share of the questions about a label that are answered with it; 0 if there are none."""
        return self.right / np.maximum(self.support, 1)

    def f1(self) -> np.ndarray:
        """(K,) the harmonic mean of precision and recall."""
        return 2 * self.right / np.maximum(self.support + self.predicted, 1)

    def table(self, most: int = 10) -> tuple[list[int], np.ndarray] | None:
        """The largest labels, at most ``most``, and (k, k) the errors among them; the other labels come last, as one.

        Example:
            >>> import torch
            >>> tally = Tally(3)
            >>> tally.add(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 0, 2, 1]), None)
            >>> tally.table(2)
            ([0, 2], array([[1, 0, 1],
                   [0, 1, 0],
                   [0, 1, 0]]))
        """
        if self.errors is None:
            return None
        order = np.argsort(-(self.support + self.predicted), kind="stable")
        shown, rest = order[:most], order[most:]
        if not len(rest):
            return shown.tolist(), self.errors[np.ix_(shown, shown)]
        lines = np.concatenate([self.errors[shown], self.errors[rest].sum(0, keepdims=True)])
        return shown.tolist(), np.concatenate([lines[:, shown], lines[:, rest].sum(1, keepdims=True)], 1)

    def calibration(self) -> list[Bin]:
        """The answers in ten ranges of confidence, without empty ones, the least sure first."""
        counts = np.maximum(self._bins[:, :1], 1)
        found = zip(self._bins[:, 0], *(self._bins[:, 1:] / counts).T, strict=True)
        return [Bin(int(count), float(sure), float(right)) for count, sure, right in found if count]

    def calibration_error(self) -> float | None:
        r"""The expected calibration error, :math:`\sum_b \frac{n_b}{N} |\text{accuracy}_b - \text{confidence}_b|`.

        References:
            Guo, Pleiss, Sun and Weinberger, 2017. https://proceedings.mlr.press/v70/guo17a.html
        """
        total = self._bins[:, 0].sum()
        return float(np.abs(self._bins[:, 1] - self._bins[:, 2]).sum() / total) if total else None

    def overconfidence(self) -> float | None:
        """The mean confidence minus the share that is right: above 0 where the model is surer than it should be."""
        total = self._bins[:, 0].sum()
        return float((self._bins[:, 1] - self._bins[:, 2]).sum() / total) if total else None

    def two_classes(self) -> dict[str, float]:
        """AUROC and average precision of the second of two labels, if there are two and both occur."""
        if not self._scores:
            return {}
        scores, truths = np.concatenate(self._scores), np.concatenate(self._truths)
        if truths.all() or not truths.any():
            return {}
        return {"auroc": auroc(scores, truths), "average_precision": average_precision(scores, truths)}


def auroc(scores: np.ndarray, truths: np.ndarray) -> float:
    """The area under the ROC curve: how often a positive scores higher than a negative; ties count half.

    Args:
        scores: (N,) float.
        truths: (N,) bool, of which some are True and some False.

    Cost: O(N log N).

    References:
        Hanley and McNeil, 1982. https://doi.org/10.1148/radiology.143.1.7063747

    Example:
        >>> auroc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
        0.875
    """
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2  # of ties their mean
    positive, negative = int(truths.sum()), int((~truths).sum())
    return float((ranks[place][truths].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(scores: np.ndarray, truths: np.ndarray) -> float:
    r"""The precision at each threshold, weighted by what recall gains there: :math:`\sum_n (R_n - R_{n-1}) P_n`.

    Args:
        scores: (N,) float.
        truths: (N,) bool, of which some are True.

    Cost: O(N log N).

    References:
        https://scikit-learn.org/stable/modules/model_evaluation.html#precision-recall-and-f-measures

    Example:
        >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])), 4)
        0.8333
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of each run of equal scores
    found = np.cumsum(truths[order])[last]
    precision, recall = found / (last + 1), found / truths.sum()
    return float((np.diff(recall, prepend=0.0) * precision).sum())
