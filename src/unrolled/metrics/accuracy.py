"""Accuracy: the share of answers that are right."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import ChosenLabels, ChosenSets, ChosenTokens
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Accuracy"]


class Accuracy:
    r"""The share of answers that are right; a set of labels is right if every label is.

    .. math:: \frac1N \sum_n [\hat y_n = y_n]

    References:
        https://scikit-learn.org/stable/modules/model_evaluation.html#accuracy-score

    Example:
        >>> import torch
        >>> labels = ChosenLabels(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2]), classes=3)
        >>> Accuracy().values(Accuracy().sums(labels))
        {'accuracy': 0.75}
    """

    judges: ClassVar[tuple[type, ...]] = (ChosenLabels, ChosenSets, ChosenTokens)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("accuracy", "share", "higher", "front"),)

    def sums(self, judged: ChosenLabels | ChosenSets | ChosenTokens) -> Sums:
        right = judged.chosen == judged.right
        return ratio("accuracy", (right.all(1) if isinstance(judged, ChosenSets) else right).sum(), len(right))

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Accuracy
