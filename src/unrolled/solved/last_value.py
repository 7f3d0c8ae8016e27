"""Predicts that the last value continues."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value
from unrolled.solved._naive import Naive, Recent, numbers_over_time
from unrolled.tasks.task import Task

__all__ = ["LastValue"]


class LastValue(Naive):
    r"""Predicts that each channel keeps its last known value: :math:`\hat y_{t+h} = y_t` for every h.

    Missing values are skipped; if nothing is known yet, the prediction is the training mean. Quantiles and deviations
    are those of its errors on the training split, by step ahead.

    What it shows: nothing better is possible for a random walk, such as prices; a model that tracks a curve closely
    often only repeats it one step late, as this does.

    Applies to: forecasts, and next steps that are real vectors.

    Cost: O(1) per prediction.

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html
    """

    name: ClassVar[str] = "last value"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts and next steps of real numbers."""
        return numbers_over_time(task, train)

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Measure its errors; nothing is drawn at random."""
        model = cls(task, options)
        model._solved(train)
        return model

    def ahead(self, state: Recent) -> Tensor:
        """The last known value at each step ahead."""
        return state.values[:, -1:].expand(-1, self.spread.shape[0], -1)

    def ahead_graph(self, state: Any) -> Value:
        """`ahead` as operators."""
        values, _ = state
        count = self.remembered
        return values.part(count - 1, count, 1).expand(1, self.spread.shape[0], 1)


MEMBER = LastValue
