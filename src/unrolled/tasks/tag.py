"""Tag: one label for each step of a sequence.

Axes: B rows, T steps, K labels.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.config import TaskConfig
from unrolled.data.coder import Coder, Roles
from unrolled.data.encoded import has_time
from unrolled.data.examples import Examples
from unrolled.errors import DataError
from unrolled.metrics import MISSING
from unrolled.tasks.columns import one_target, other_columns, step_aligned
from unrolled.tasks.labels import confusion, macro_f1
from unrolled.tasks.prior import log_frequencies
from unrolled.tasks.task import Question, Sums, scored_steps

__all__ = ["Tag"]


class Tag:
    """Many to many, step for step: names in a sentence, the state of a machine.

    Equations:
        loss = Σ_t −log softmax(o_t)[y_t].

    Metrics: ``loss_nats_per_step``, ``accuracy`` (of steps), ``macro_f1``.
    """

    name: ClassVar[str] = "tag"
    pooled: ClassVar[bool] = False
    pool: ClassVar[Literal["last", "max"]] = "last"

    def __init__(self, config: TaskConfig, coder: Coder) -> None:
        spec = coder.answer.spec
        assert isinstance(spec, Discrete)
        self.config, self.coder, self.outputs, self.watch = config, coder, spec.size, "loss_nats_per_step"
        self.labels: list[Any] = list(getattr(coder.answer, "labels"))  # noqa: B009 - only category has labels

    @staticmethod
    def recognises(question: Question) -> str | None:
        if len(question.target) != 1 or question.horizon:
            return None
        target = question.target[0]
        if not has_time(question.sequences.column(target).type):
            return None
        if pa.types.is_floating(question.sequences.column(target).type.value_type):
            return None  # measured numbers are no labels
        aligned = step_aligned(question.sequences, target, other_columns(question))
        return f"{target!r} has one label for each step" if aligned else None

    @staticmethod
    def roles(question: Question) -> Roles:
        target, sequences = one_target(question), question.sequences
        inputs = other_columns(question)
        if not step_aligned(sequences, target, inputs):
            raise DataError("does not have one label for each step of the inputs", file=sequences.origin, column=target)
        return Roles(inputs, target, "aligned", {target: "category"})

    def prior(self, train: Examples) -> Tensor | None:
        return log_frequencies(train)

    def _flat(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        mask = scored_steps(batch, outputs.shape[1]) & (batch.target != MISSING)
        return outputs[mask], batch.target[mask]  # (N, K), (N,)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        flat, target = self._flat(outputs, batch)
        return F.cross_entropy(flat, target, reduction="sum"), torch.tensor(len(target))

    def measure(self, outputs: Tensor, batch: Batch) -> Sums:
        flat, target = self._flat(outputs, batch)
        nats, count = self.loss(outputs, batch)
        sums = confusion(flat.argmax(-1), target, self.outputs)
        return {**sums, "nats": nats.double(), "count": count}

    def summarise(self, sums: Sums) -> dict[str, float]:
        count = float(sums["count"])
        metrics = {self.watch: float(sums["nats"]) / count, "accuracy": float(sums["tp"].sum()) / count}
        return {**metrics, "macro_f1": macro_f1(sums)}

    def cost(self, metrics: dict[str, float]) -> float:
        # Not the loss: a network that grows too sure of itself pays for it in nats while its labels still get better.
        return -metrics["macro_f1"]

    def in_units(self, baseline: dict[str, float]) -> dict[str, float]:
        return baseline

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        best = outputs.argmax(-1).tolist()
        tags = [[self.labels[k] for k in row[:n]] for row, n in zip(best, batch.lengths.tolist(), strict=True)]
        return {f"{self.coder.target}_predicted": tags}


MEMBER = Tag
