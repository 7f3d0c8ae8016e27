"""Judging each sequence, window or stretch of steps by itself, beside the whole split.

Axes: B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers, TokenSequences, Transcripts, Translations
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import Programs, added, programs
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import run_over
from unrolled.training.plans import evaluation_plan

__all__ = ["Unit", "Units", "alone"]

Watch = Callable[[Any, Batch], None]

_PARTS = ("written", "right")
_WRITTEN = (TokenSequences, Transcripts, Translations)  # a sequence for each row of a batch, in its order


@dataclass(frozen=True, slots=True)
class Unit:
    """One sequence, or one window or stretch of steps of it, judged by itself.

    Attributes:
        row: the row of the split.
        nth: its place among the units of the row.
        sums: the sums of its metrics.
        answer: the answer to it, by column; empty for a model that writes or continues sequences.
    """

    row: int
    nth: int
    sums: Sums
    answer: dict[str, Any]


class Units:
    """A split judged as a whole, piece by piece, and some of its units by themselves.

    Args:
        most: the units to judge by themselves, ≥ 1: of more, each second, fourth, eighth, … is kept.

    Attributes:
        total: the sums of the metrics over the whole split.
        count: how many units there are in all.
        rows: how many rows there are.
    """

    def __init__(self, most: int) -> None:
        self.total, self.count, self.rows = Sums(), 0, 0
        self._most, self._stride = most, 1
        self._each: list[tuple[int, Unit]] = []

    @property
    def each(self) -> list[Unit]:
        """The units that were judged by themselves."""
        return [unit for _, unit in self._each]

    def add(
        self,
        network: Model,
        task: Task,
        examples: Examples,
        config: TrainingConfig,
        device: str,
        watch: Watch | None = None,
    ) -> None:
        """Judge the next rows as `evaluate` does, and their units by themselves.

        Args:
            network, task, examples, config, device: as for `evaluate`.
            watch: is called with the outputs for each batch, and the batch.

        Cost: one evaluation, and half a millisecond for each unit that is judged by itself.
        """
        loader = Loader(examples, evaluation_plan(examples, task.batching, config, network.causal))
        own, nth = programs(config.own), dict[int, int]()
        for outputs, batch in run_over(network, loader, device):
            judged = task.judge(outputs, batch)
            self.total = added(self.total, judged, own)
            if watch is not None:
                watch(outputs, batch)
            for at, row in enumerate(batch.rows.tolist()):
                place = nth[row] = nth.get(row, -1) + 1
                if self.keeps and int(batch.lengths[at]):
                    unit = _unit(task, outputs, batch, judged, at, own)
                    self.keep(Unit(self.rows + row, place, *unit))
                self.count += 1
        self.rows += len(examples.steps())

    @property
    def keeps(self) -> bool:
        """Whether the next unit is judged by itself."""
        return self.count % self._stride == 0

    def keep(self, unit: Unit) -> None:
        """Keep the next unit, and of too many only each second one."""
        self._each.append((self.count, unit))
        if len(self._each) > self._most:
            self._stride *= 2
            self._each = [one for one in self._each if one[0] % self._stride == 0]


def _unit(
    task: Task, outputs: Any, batch: Batch, judged: Answers, at: int, own: Programs
) -> tuple[Sums, dict[str, Any]]:
    """The sums of the metrics of the row at ``at``, and the answer to it."""
    written = [answer for answer in judged if isinstance(answer, _WRITTEN)]
    if written or not isinstance(outputs, Tensor):  # what was searched for is not searched for again
        parts: list[dict[str, Any]] = [{part: getattr(one, part)[at : at + 1] for part in _PARTS} for one in written]
        found = [replace(one, **part) for one, part in zip(written, parts, strict=True)]
        return added({}, tuple(found), own), {}
    one = alone(batch, at)
    # A model that continues its input has many answers to a unit, of which `answers` gives the last.
    answers = {} if task.coder.continues else task.answers(outputs[at : at + 1], one)
    answer = {name: values[0] for name, values in answers.items()}
    return added({}, task.judge(outputs[at : at + 1], one), own), answer


def alone(batch: Batch, at: int) -> Batch:
    """The row at ``at`` as a batch."""
    whole = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name not in ("inputs", "naive")}
    parts: dict[str, Any] = {name: value if value is None else value[at : at + 1] for name, value in whole.items()}
    return replace(batch, inputs={name: value[at : at + 1] for name, value in batch.inputs.items()}, **parts)
