"""Predicts the most frequent training label, whatever the input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, label_sets, target_of
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.solved._lookup import Constant, log_odds_of, potentials
from unrolled.tasks.task import Task

__all__ = ["Majority"]


class Majority(Constant):
    r"""Predicts the frequencies of the training labels, with one added example of each class.

    .. math:: p_k = (n_k + 1) / (n + K) \quad\text{one label}; \qquad p_k = (n_k + 1) / (n + 2) \quad\text{sets}

    What it shows: how uneven the classes are. An accuracy of 95 % means nothing if 95 % of the rows have the
    same label; a model that does not beat this has learned nothing from its input.

    Applies to: labels of rows, labels of steps, and sets of labels.

    Cost: one count of the training labels, O(1) per prediction.

    References:
        Holte, Very Simple Classification Rules Perform Well, 1993. https://doi.org/10.1023/A:1022631118932
    """

    name: ClassVar[str] = "majority"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for labels and sets of labels."""
        return bool(task.labels) and len(task.labels) == classes(train) and isinstance(train.form, One | Set | Aligned)

    @staticmethod
    def counted(task: Task, train: Examples) -> Tensor:
        """The logarithms of the frequencies; log odds for sets."""
        if isinstance(train.form, Set):
            sets = label_sets(train)
            return log_odds_of((sets.sum(0) + 1) / (len(sets) + 2))
        counts = np.bincount(target_of(train).values[asked_values(train)], minlength=classes(train)) + 1
        return potentials(torch.from_numpy(np.log(counts / counts.sum())), task.chain)


MEMBER = Majority
