"""Micro-F1: the F1 over all labels together, for sets of labels."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._counts import counts, errors
from unrolled.metrics.judged import ChosenSets
from unrolled.metrics.metric import Measure, Sums

__all__ = ["MicroF1"]


class MicroF1:
    r"""The F1 over all (question, label) pairs; 0 if no label is chosen or right.

    With one label per question it would equal the accuracy, so it is only computed for sets of labels.

    .. math:: \frac{2 \sum_k TP_k}{\sum_k 2 TP_k + FP_k + FN_k}

    References:
        Manning, Raghavan and Schütze, chapter 13. https://nlp.stanford.edu/IR-book/

    Example:
        >>> import torch
        >>> chosen, right = torch.tensor([[True, False], [True, True]]), torch.tensor([[True, False], [False, True]])
        >>> MicroF1().values(MicroF1().sums(ChosenSets(chosen, right)))
        {'micro_f1': 0.8}
    """

    judges: ClassVar[tuple[type, ...]] = (ChosenSets,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("micro_f1", "share", "higher"),)

    def sums(self, judged: ChosenSets) -> Sums:
        return counts(judged)

    def values(self, sums: Sums) -> dict[str, float]:
        if not int(sums["count"]):
            return {}
        right, wrong = (each.sum() for each in errors(sums))
        return {"micro_f1": float(2 * right / (2 * right + wrong).clamp(min=1))}


MEMBER = MicroF1
