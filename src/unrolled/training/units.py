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

__all__ = ["Unit", "Units", "alone", "units_over"]

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


@dataclass(frozen=True, slots=True)
class Units:
    """A split judged as a whole, and at most so many of its units by themselves.

    Attributes:
        total: the sums of the metrics over the whole split.
        each: the units, evenly spaced if there are too many.
        count: how many units there are in all.
    """

    total: Sums
    each: list[Unit]
    count: int


def units_over(
    network: Model,
    task: Task,
    examples: Examples,
    config: TrainingConfig,
    device: str,
    most: int,
    watch: Watch | None = None,
) -> Units:
    """Judge ``examples`` as `evaluate` does, and up to about ``most`` of its units by themselves.

    Args:
        network, task, examples, config, device: as for `evaluate`.
        most: the units to judge by themselves, ≥ 1.
        watch: is called with the outputs for each batch, and the batch.

    Cost: one evaluation, and half a millisecond for each unit.
    """
    loader = Loader(examples, evaluation_plan(examples, task.batching, config, network.causal))
    count = sum(len(loader.plan[index].rows) for index in range(len(loader)))
    stride, seen, nth = max(1, -(-count // most)), 0, dict[int, int]()
    total, own = Sums(), programs(config.own)
    each: list[Unit] = []
    for outputs, batch in run_over(network, loader, device):
        judged = task.judge(outputs, batch)
        total = added(total, judged, own)
        if watch is not None:
            watch(outputs, batch)
        for at, row in enumerate(batch.rows.tolist()):
            place = nth[row] = nth.get(row, -1) + 1
            if (seen + at) % stride == 0 and int(batch.lengths[at]):
                each.append(_unit(task, outputs, batch, judged, at, place, own))
        seen += len(batch.rows)
    return Units(total, each, count)


def _unit(task: Task, outputs: Any, batch: Batch, judged: Answers, at: int, nth: int, own: Programs) -> Unit:
    row = int(batch.rows[at])
    written = [answer for answer in judged if isinstance(answer, _WRITTEN)]
    if written or not isinstance(outputs, Tensor):  # what was searched for is not searched for again
        parts: list[dict[str, Any]] = [{part: getattr(one, part)[at : at + 1] for part in _PARTS} for one in written]
        found = [replace(one, **part) for one, part in zip(written, parts, strict=True)]
        return Unit(row, nth, added({}, tuple(found), own), {})
    one = alone(batch, at)
    # A model that continues its input has many answers to a unit, of which `answers` gives the last.
    answers = {} if task.coder.continues else task.answers(outputs[at : at + 1], one)
    answer = {name: values[0] for name, values in answers.items()}
    return Unit(row, nth, added({}, task.judge(outputs[at : at + 1], one), own), answer)


def alone(batch: Batch, at: int) -> Batch:
    """The row at ``at`` as a batch."""
    whole = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name not in ("inputs", "naive")}
    parts: dict[str, Any] = {name: value if value is None else value[at : at + 1] for name, value in whole.items()}
    return replace(batch, inputs={name: value[at : at + 1] for name, value in batch.inputs.items()}, **parts)
