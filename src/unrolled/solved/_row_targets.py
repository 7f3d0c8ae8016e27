"""What linear models of rows are fitted to, and what their left-out answers are judged by.

Axes: R rows, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, label_sets, target_of
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.set import Set
from unrolled.solved._linear_rows import Answer
from unrolled.tasks.task import Task

__all__ = ["answer_of", "asked_rows", "minus_loss", "row_targets", "score_of"]

_TIE = 1e-3  # of the loss, where answers are judged by their F1: of equally good ones the surer count


def asked_rows(train: Examples) -> np.ndarray:
    """The rows with a known target."""
    return np.arange(len(train.steps())) if isinstance(train.form, Set) else asked_values(train)


def answer_of(train: Examples) -> Answer:
    """What the targets are."""
    if isinstance(train.form, Set):
        return "set"
    return "label" if classes(train) else "number"


def row_targets(train: Examples) -> Tensor:
    """The known targets: (R,) int64 labels, (R, K) float32 with 1 for each label of a set, or (R, 1) numbers."""
    if isinstance(train.form, Set):
        return torch.from_numpy(label_sets(train).astype(np.float32))
    values = target_of(train).values[asked_values(train)]
    return torch.from_numpy(values.astype(np.int64) if classes(train) else values[:, :1].astype(np.float32))


def minus_loss(answer: Answer) -> Callable[[Tensor, Tensor], float]:
    """The mean loss of outputs for a target, negative."""

    def score(outputs: Tensor, target: Tensor) -> float:
        if answer == "number":
            return -float((outputs - target).square().mean())
        if answer == "set":
            return -float(functional.binary_cross_entropy_with_logits(outputs, target))
        return -float(functional.cross_entropy(outputs, target))

    return score


def score_of(task: Task, answer: Answer) -> Callable[[Tensor, Tensor], float]:
    """What the left-out rows are judged by: higher is better."""

    def macro_f1(outputs: Tensor, target: Tensor) -> float:
        chosen, size = outputs.argmax(1), outputs.shape[1]
        hits = torch.bincount(target[chosen == target], minlength=size)
        both = torch.bincount(target, minlength=size) + torch.bincount(chosen, minlength=size)
        f1 = float((2 * hits / both.clamp_min(1))[both > 0].mean())
        return f1 - _TIE * float(functional.cross_entropy(outputs, target))

    return macro_f1 if answer == "label" and "f1" in task.chooses else minus_loss(answer)
