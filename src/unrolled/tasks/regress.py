"""Regress: predict one number for each sequence or plain row.

Axes: B rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.encodings.encoding import has_time
from unrolled.data.encodings.facets import Numbers
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.one import One
from unrolled.errors import UsageError
from unrolled.layers.graph import Shaped, Value
from unrolled.metrics.judged import Answers, Values
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.tasks._columns import is_number, one_target, other_columns
from unrolled.tasks._step_answers import step_values
from unrolled.tasks.task import Measured, Question, Recognised, Task

__all__ = ["Regress"]


class Regress(Task):
    """Predicts one number per row, many to one or one to one.

    Equations:
        loss = (o − (y − μ)/σ)², with μ and σ of the training target.

    Metrics:
        ``mse`` and ``mae`` in the target's own units; ``r2`` = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; and the training loss
        ``mse_scaled``, in units of σ².
    """

    name: ClassVar[str] = "regress"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Numbers,)
    spells: ClassVar[bool] = True

    def __init__(self, options: Part, coder: Preprocessor) -> None:
        assert isinstance(coder.answer, Numbers)
        self.options, self.coder, self.outputs = options, coder, 1
        self.watch = self.chooses = "mse_scaled"
        self._mean, self._std = float(coder.answer.mean[0]), float(coder.answer.std[0])

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        if len(question.target) != 1:
            return None
        sequences, target = question.sequences, question.target[0]
        number = is_number(sequences, target) and not has_time(sequences.column(target).type)
        return Recognised(60, f"{target!r} is a number") if number else None

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        if not is_number(question.sequences, target):
            kind = question.sequences.kinds[target]
            raise UsageError(f"the task 'regress' needs a numeric target, but {target!r} is {kind}")
        if has_time(question.sequences.column(target).type):
            raise UsageError(f"the task 'regress' needs one number per row, but {target!r} has one per step")
        return Roles(other_columns(question), target, One())

    def measure_training(self, train: Examples) -> Measured:
        return Measured(self)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        known = ~batch.target[:, 0].isnan()
        return (outputs[known, 0] - batch.target[known, 0]).square().sum(), known.sum()

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        known = ~batch.target[:, 0].isnan()
        return torch.where(known, outputs[:, 0] - batch.target[:, 0], 0.0).square(), known

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        assert batch.target is not None
        return (Values(outputs[:, 0], batch.target[:, 0], self._std),)

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        return {f"{self.coder.target}_predicted": (outputs[:, 0].double() * self._std + self._mean).tolist()}

    @property
    def recipe(self) -> dict[str, Any]:
        return {"how": "numbers", "columns": {f"{self.coder.target}_predicted": ["predicted"]}}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        return {"predicted": (outputs.squeeze(1).to(np.float64) * self._std + self._mean, ("rows",))}

    def write_answers(self, program: Program, outputs: Vector) -> None:
        """The number in its own units."""
        step_values(program, self.coder.target, outputs, self._mean, self._std)


MEMBER = Regress
