"""Predicts each channel from its previous value."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, is_several_hot, target_of
from unrolled.data.encodings.facets import Numbers
from unrolled.data.examples.examples import Examples
from unrolled.solved._known import known_values
from unrolled.solved._lookup import Lookup, log_odds_of
from unrolled.tasks.task import Task

__all__ = ["Repeat", "on_or_off"]

_UNKNOWN = 2  # stands for a missing previous value


class Repeat(Lookup):
    r"""A Markov chain for each channel: how often it is on after being on, and after being off.

    .. math:: p_k(\text{on} \mid j) = (n_{jk} + 1) / (n_j + 2), \qquad j \in \{\text{off}, \text{on}, \text{missing}\}

    What it shows: how much of the loss is explained by notes that are held. That is most of what a network gains over
    the marginals; only a lower loss shows that it has learned melody or harmony.

    Applies to: the next step, if every channel is 0 or 1.

    Cost: one count, O(K) per prediction.

    References:
        Markov, An Example of Statistical Investigation of the Text Eugene Onegin, 1913 (translated 2006).
        https://doi.org/10.1017/S0269889706001074
    """

    name: ClassVar[str] = "repeat"
    after: Tensor  # (3, K) the log odds after off, on and missing

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._name, self._encoding = task.coder.target, task.coder.answer
        self.register_buffer("after", torch.zeros(3, task.outputs))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next step of channels that are on or off."""
        return on_or_off(task, train)

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Count; nothing is drawn at random."""
        model, values, steps = cls(task, options), target_of(train).values, asked_values(train)
        before = np.where(np.isnan(values[steps - 1]), _UNKNOWN, values[steps - 1])
        wanted = values[steps]
        on = np.stack([((before == j) & (wanted == 1)).sum(0) for j in range(3)])
        all_ = np.stack([((before == j) & ~np.isnan(wanted)).sum(0) for j in range(3)])
        model.after.copy_(log_odds_of((on + 1) / (all_ + 2)))
        return model

    def answer(self, inputs: dict[str, Tensor]) -> Tensor:
        """The log odds (..., K) that each channel is on in the next step."""
        values, known = known_values(inputs[self._name], self._encoding)
        off, on, missing = self.after
        return torch.where(known, torch.where(values > 0.5, on, off), missing)


def on_or_off(task: Task, train: Examples) -> bool:
    """True for the next step of channels that are all 0 or 1."""
    return task.mixing == "sigmoid" and isinstance(task.coder.answer, Numbers) and is_several_hot(train)


MEMBER = Repeat
