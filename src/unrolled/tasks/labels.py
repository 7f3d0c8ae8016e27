"""Counts behind accuracy and F1, summed over batches; shared by classify and tag."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.tasks.task import Sums

__all__ = ["confusion", "macro_f1", "micro_f1"]


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Sums:
    """True positives, false positives and false negatives of each class, from int64 labels of any equal shape."""
    right = predicted == target

    def count(labels: Tensor) -> Tensor:
        return torch.bincount(labels, minlength=classes)

    return {"tp": count(target[right]), "fp": count(predicted[~right]), "fn": count(target[~right])}


def macro_f1(sums: Sums) -> float:
    """Mean over the classes that occur of 2·tp / (2·tp + fp + fn)."""
    tp, errors = sums["tp"].double(), (sums["fp"] + sums["fn"]).double()
    seen = (tp + errors) > 0
    return float((2 * tp[seen] / (2 * tp[seen] + errors[seen])).mean()) if bool(seen.any()) else 0.0


def micro_f1(sums: Sums) -> float:
    """The F1 of all classes' counts together."""
    tp, errors = sums["tp"].sum().double(), (sums["fp"] + sums["fn"]).sum().double()
    return float(2 * tp / (2 * tp + errors).clamp(min=1))
