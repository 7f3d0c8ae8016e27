"""What a model answers after each of several steps of a row: each beginning of the row, read as a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.evaluate import run_over

__all__ = ["Prefixes"]

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The beginnings of one row, and the model that reads them.

    Attributes:
        network, task: the model.
        examples: only the row.
    """

    network: Model
    task: Task
    examples: Examples

    @property
    def steps(self) -> int:
        """The most steps that can be read: those of the shortest column, as known covariates end before the others."""
        timed = [column for name, column in self.examples.inputs.items() if self.examples.specs[name].side is None]
        return min((int(column.lengths()[0]) for column in timed if column.offsets is not None), default=1)

    def answered(self, ends: Sequence[int]) -> Iterator[tuple[Any, Batch]]:
        """The outputs after the first ``end`` steps, for each of ``ends``, and the batches that were read.

        The batches have no target. A forecast reads only its lookback of these steps.

        Args:
            ends: each from 1 to ``steps``.

        Cost: as many rows as ``ends``, in batches.
        """
        horizon = self.task.coder.horizon
        read = self.task.batching.lookback if horizon else max(ends)
        rows = np.zeros(len(ends), np.int64)
        plan = Windows(rows, np.array(ends, np.int64), read, _AT_ONCE)
        return run_over(self.network, Loader(replace(self.examples, target=None), plan), str(self.network.device))

    def answers(self, ends: Sequence[int]) -> dict[str, list[Any]]:
        """The task's answers after each of ``ends``: column -> a value for each of them, as `predict` gives them."""
        columns: dict[str, list[Any]] = {}
        for outputs, batch in self.answered(ends):
            for name, found in self.task.answers(outputs, batch).items():
                columns.setdefault(name, []).extend(found)
        return columns
