"""Median: which number is too low as often as too high, or as often as is asked for?

Axes: B rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part, option
from unrolled.data.encodings.facets import Numbers
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.one import One
from unrolled.metrics.judged import Answers, Values
from unrolled.tasks._columns import one_target, other_columns
from unrolled.tasks.task import Measured, Question, Task


class Median(Task):
    """One number a row that is too high as often as ``level`` says: loss = max(τ e, (τ − 1) e).

    e = (y − μ)/σ − o, with τ the level, and μ and σ of the training target.
    """

    class Options(Part):
        level: float = option(
            0.5, "Share of the right numbers that lie below the answer.", gt=0, lt=1, also=("tau", "percentile")
        )

    name: ClassVar[str] = "median"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Numbers,)

    def __init__(self, options: Options, coder: Preprocessor) -> None:
        assert isinstance(coder.answer, Numbers)
        self.options, self.coder, self.outputs = options, coder, 1
        self._level = options.level
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
        error = batch.target[known, 0] - outputs[known, 0]
        return torch.maximum(self._level * error, (self._level - 1) * error).sum(), known.sum()

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        assert batch.target is not None
        return (Values(outputs[:, 0], batch.target[:, 0], self._std),)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        return {f"{self.coder.target}_median": (outputs[:, 0].double() * self._std + self._mean).tolist()}


MEMBER = Median
