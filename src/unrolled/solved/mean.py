"""Predicts the training mean at each step, whatever came before."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value
from unrolled.program.instructions import Source, Vector
from unrolled.program.program import Program
from unrolled.solved._naive import Naive, Recent, numbers_over_time
from unrolled.tasks.task import Task

__all__ = ["Mean"]


class Mean(Naive):
    r"""Predicts each channel's mean over the training split: :math:`\hat y = \bar y_{\text{train}}`.

    What it shows: how much there is to explain. Its squared error is the variance (1 in scaled units, if the split
    is like the training split), and its r2 is 0 or less. A long-range forecast that is worse than this is useless.

    Applies to: forecasts, and next steps that are real vectors; where each window is scaled by itself, the mean of the
    training split is not known there.

    Cost: one mean, O(1) per prediction.

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html
    """

    name: ClassVar[str] = "mean"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts and next steps of real numbers."""
        return numbers_over_time(task, train) and not train.by_window

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Take the mean; nothing is drawn at random."""
        model = cls(task, options)
        model._solved(train)
        return model

    def ahead(self, state: Recent) -> Tensor:
        """The mean at each step ahead."""
        return self.mean.expand(len(state.steps), self.spread.shape[0], -1)

    def write_ahead(self, program: Program, recent: Vector, channel: int) -> Source:
        """The mean."""
        return float(self.mean[channel])

    def ahead_graph(self, state: Any) -> Value:
        """`ahead` as operators."""
        _, steps = state
        return steps.graph.constant(self.mean).expand(steps.size(0), self.spread.shape[0], len(self.mean))


MEMBER = Mean
