"""Median: which number is as often too high as too low?

Axes: B rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import TaskConfig
from unrolled.data.coder import Preprocessor
from unrolled.data.examples import Examples
from unrolled.data.facets import Numbers
from unrolled.data.forms.one import One
from unrolled.data.roles import Roles
from unrolled.metrics.judged import Answers, Values
from unrolled.tasks.columns import one_target, other_columns
from unrolled.tasks.task import Measured, Question


class Median:
    """One number a row, trained on the absolute error: loss = |o − (y − μ)/σ|, with μ and σ of the training target."""

    name: ClassVar[str] = "median"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Numbers,)

    def __init__(self, config: TaskConfig, coder: Preprocessor) -> None:
        assert isinstance(coder.answer, Numbers)
        self.config, self.coder, self.outputs = config, coder, 1
        self.watch = self.chooses = "mae"
        self._mean, self._std = float(coder.answer.mean[0]), float(coder.answer.std[0])

    @staticmethod
    def recognises(question: Question) -> None:
        """It must be asked for by name: numbers are rather the business of regress."""

    @staticmethod
    def roles(question: Question) -> Roles:
        return Roles(other_columns(question), one_target(question), One())

    def measure_training(self, train: Examples) -> Measured:
        return Measured(self)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        known = ~batch.target[:, 0].isnan()
        return (outputs[known, 0] - batch.target[known, 0]).abs().sum(), known.sum()

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        assert batch.target is not None
        return (Values(outputs[:, 0], batch.target[:, 0], self._std),)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        return {f"{self.coder.target}_median": (outputs[:, 0].double() * self._std + self._mean).tolist()}


MEMBER = Median
