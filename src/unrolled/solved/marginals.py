"""Predicts how often each of several channels is on, whatever came before."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from unrolled.baselines._arrays import asked_values, target_of
from unrolled.data.examples.examples import Examples
from unrolled.solved._lookup import Constant, log_odds_of
from unrolled.solved.repeat import on_or_off
from unrolled.tasks.task import Task

__all__ = ["Marginals"]


class Marginals(Constant):
    r"""Predicts each channel's training frequency, independently: :math:`p_k = (n_k + 1) / (n + 2)`.

    What it shows: how much can be predicted without memory or harmony; it is the unigram model of music and other
    several-hot steps. A network that has only learned its output bias has this loss.

    Applies to: the next step, if every channel is 0 or 1.

    Cost: one count, O(K) per prediction.

    References:
        Boulanger-Lewandowski et al., 2012, table 1. https://arxiv.org/abs/1206.6392
    """

    name: ClassVar[str] = "marginals"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next step of channels that are on or off."""
        return on_or_off(task, train)

    @staticmethod
    def counted(task: Task, train: Examples) -> Tensor:  # noqa: ARG004 - for members that need it
        """The log odds of each channel."""
        values = target_of(train).values[asked_values(train)]
        return log_odds_of((np.nansum(values, 0, dtype=np.float64) + 1) / ((~np.isnan(values)).sum(0) + 2))


MEMBER = Marginals
