"""The counts behind F1: true positives, false positives and false negatives of each label.

Axes: K labels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.metrics.judged import ChosenLabels, ChosenSets
from unrolled.metrics.metric import Sums

__all__ = ["counts", "errors"]


def counts(judged: ChosenLabels | ChosenSets) -> Sums:
    """True positives, false positives and false negatives, each (K,) int64, and the number of questions."""
    chosen, right = judged.chosen, judged.right
    if isinstance(judged, ChosenSets):
        found = {"tp": (chosen & right).sum(0), "fp": (chosen & ~right).sum(0), "fn": (~chosen & right).sum(0)}
    else:
        same = chosen == right

        def each(labels: Tensor) -> Tensor:
            return torch.bincount(labels, minlength=judged.classes)

        found = {"tp": each(right[same]), "fp": each(chosen[~same]), "fn": each(right[~same])}
    return {**found, "count": torch.tensor(len(right))}


def errors(sums: Sums) -> tuple[Tensor, Tensor]:
    """(K,) float64 true positives, and (K,) float64 false positives plus false negatives."""
    return sums["tp"].double(), (sums["fp"] + sums["fn"]).double()
