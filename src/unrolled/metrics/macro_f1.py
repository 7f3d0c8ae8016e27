"""Macro-F1: the mean F1 over labels, where rare labels count as much as common ones."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._counts import counts, errors
from unrolled.metrics.judged import ChosenLabels, ChosenSets
from unrolled.metrics.metric import Measure, Sums

__all__ = ["MacroF1"]


class MacroF1:
    r"""The mean of each label's F1, over the labels that occur among answers or right values; 0 if there are none.

    .. math:: \frac1K \sum_k \frac{2 TP_k}{2 TP_k + FP_k + FN_k}

    References:
        van Rijsbergen, Information Retrieval, 1979. https://scikit-learn.org/stable/modules/model_evaluation.html

    Example:
        >>> import torch
        >>> labels = ChosenLabels(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 1, 0]), classes=5)
        >>> round(MacroF1().values(MacroF1().sums(labels))["macro_f1"], 4)
        0.7333
    """

    judges: ClassVar[tuple[type, ...]] = (ChosenLabels, ChosenSets)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("macro_f1", "share", "higher"),)

    def sums(self, judged: ChosenLabels | ChosenSets) -> Sums:
        return counts(judged)

    def values(self, sums: Sums) -> dict[str, float]:
        if not int(sums["count"]):
            return {}
        right, wrong = errors(sums)
        seen = (right + wrong) > 0
        each = 2 * right[seen] / (2 * right[seen] + wrong[seen])
        return {"macro_f1": float(each.mean()) if len(each) else 0.0}


MEMBER = MacroF1
