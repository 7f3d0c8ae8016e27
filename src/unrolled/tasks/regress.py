"""Regress: which number belongs to a sequence (or a plain row)?

Axes: B rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import TaskConfig
from unrolled.data.coder import Coder
from unrolled.data.encoded import has_time
from unrolled.data.examples import Examples
from unrolled.data.facets import Numbers
from unrolled.data.forms.one import One
from unrolled.data.roles import Roles
from unrolled.errors import UsageError
from unrolled.tasks.columns import is_number, one_target, other_columns
from unrolled.tasks.task import Measured, Question, Sums

__all__ = ["Regress"]


class Regress:
    """One number a row, many to one or one to one.

    Equations:
        loss = (o − (y − μ)/σ)², with μ and σ of the training target.

    Metrics:
        in the target's own units: ``mse``, ``mae``; ``r2`` = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; and ``mse_scaled``, which
        training makes small, in units of σ².
    """

    name: ClassVar[str] = "regress"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "max"
    needs: ClassVar[tuple[type, ...]] = (Numbers,)

    def __init__(self, config: TaskConfig, coder: Coder) -> None:
        assert isinstance(coder.answer, Numbers)
        self.config, self.coder, self.outputs, self.watch = config, coder, 1, "mse_scaled"
        self._mean, self._std = float(coder.answer.mean[0]), float(coder.answer.std[0])

    @staticmethod
    def recognises(question: Question) -> str | None:
        if len(question.target) != 1 or question.horizon:
            return None
        sequences, target = question.sequences, question.target[0]
        number = is_number(sequences, target) and not has_time(sequences.column(target).type)
        return f"{target!r} is a number" if number else None

    @staticmethod
    def roles(question: Question) -> Roles:
        target = one_target(question)
        if not is_number(question.sequences, target):
            kind = question.sequences.kinds[target]
            raise UsageError(f"regress needs a target that is a number, but {target!r} is {kind}")
        if has_time(question.sequences.column(target).type):
            raise UsageError(f"regress needs one number a row, but {target!r} has one a step")
        return Roles(other_columns(question), target, One())

    def measure_training(self, train: Examples) -> Measured:
        return Measured(self)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        known = ~batch.target[:, 0].isnan()
        return (outputs[known, 0] - batch.target[known, 0]).square().sum(), known.sum()

    def measure(self, outputs: Tensor, batch: Batch) -> Sums:
        assert batch.target is not None
        known = ~batch.target[:, 0].isnan()
        y = batch.target[known, 0].double()
        error = outputs[known, 0].double() - y
        return {
            "square": error.square().sum(),
            "absolute": error.abs().sum(),
            "y": y.sum(),
            "yy": y.square().sum(),
            "count": torch.tensor(len(y)),
        }

    def summarise(self, sums: Sums) -> dict[str, float]:
        n = max(1.0, float(sums["count"]))
        spread = float(sums["yy"]) - float(sums["y"]) ** 2 / n
        metrics = {"mse": float(sums["square"]) / n, "mae": float(sums["absolute"]) / n}
        metrics["r2"] = 1 - float(sums["square"]) / spread if spread > 0 else 0.0
        return self.in_units(metrics)

    def cost(self, metrics: dict[str, float]) -> float:
        return metrics[self.watch]

    def in_units(self, baseline: dict[str, float]) -> dict[str, float]:
        return {
            "mse_scaled": baseline["mse"],
            "mse": baseline["mse"] * self._std**2,
            "mae": baseline["mae"] * self._std,
            "r2": baseline["r2"],
        }

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        return {f"{self.coder.target}_predicted": (outputs[:, 0].double() * self._std + self._mean).tolist()}


MEMBER = Regress
