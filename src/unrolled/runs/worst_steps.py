"""The steps of a row with the highest losses: what came, what was expected, and after what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Text
from unrolled.inspection.trace import one_step
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.runs.predicting import PREDICTED
from unrolled.runs.traced_rows import TracedRow
from unrolled.tasks.task import Task
from unrolled.views.roll import channel_names

__all__ = ["MOST", "WorstStep", "worst_steps"]

MOST = 5  # steps
_BEFORE = 20  # symbols that are shown before a step
_END = "<end>"  # as tasks write it


@dataclass(frozen=True, slots=True)
class WorstStep:
    """A step with one of the highest losses.

    Attributes:
        step: its number in the row, from 0; a text begins with ``<begin>`` where rows are framed.
        loss: in the unit of the model's loss.
        came, expected: the target, and the model's answer; of several at once, the names of those that are on.
        chance: the probability of that answer; ``None`` where there is none.
        after: the end of the text that was read up to this step; the names of the last items; empty for other data.
    """

    step: int
    loss: float
    came: Any
    expected: Any
    chance: float | None
    after: str


def worst_steps(task: Task, row: TracedRow, losses: Tensor) -> Iterator[WorstStep]:
    """The steps with the highest losses, which are those of the steps asked for."""
    batch, outputs, answer = row.trace.batch, row.trace.outputs, task.coder.answer
    assert batch is not None and batch.target is not None
    steps, reads = row.trace.steps, batch.inputs.get(task.coder.target)
    for nth in losses.argsort(descending=True)[:MOST].tolist():
        if not float(losses[nth]) > 0:  # a missing target has none
            continue
        at = row.asked[0] - row.start + nth
        answers = task.answers(_of_step(outputs, at), one_step(batch, at, steps))
        chance = _single(answers.get(f"{task.coder.target}_p", [None])[0])
        before = ""
        if reads is not None and isinstance(answer, Text):
            read = answer.decode(reads[0, max(0, at + 1 - _BEFORE) : at + 1].numpy())
            before = ", ".join(map(str, read)) if isinstance(read, list) else str(read)
        came = _came(answer, batch.target[0, at : at + 1].numpy())
        expected = _single(answers.get(f"{task.coder.target}{PREDICTED}", [None])[0])
        if task.mixing == "sigmoid":
            names = channel_names(answer, outputs.shape[-1])
            came, expected = _several(names, batch.target[0, at]), _several(names, outputs[at])
        yield WorstStep(
            step=row.asked[0] + nth,
            loss=float(losses[nth]),
            came=came,
            expected=expected,
            chance=chance if isinstance(chance, float) else None,
            after=before,
        )


def _several(names: list[str], values: Tensor) -> str:
    """Those of several labels, keys or channels that are on."""
    return ", ".join(name for name, value in zip(names, values.tolist(), strict=True) if value > 0) or "nothing"


def _of_step(outputs: Any, at: int) -> Any:
    """The outputs of one step of the row."""
    step = slice(at, at + 1)
    return outputs.at(slice(None), step) if isinstance(outputs, ItemOutputs) else outputs[None, step]


def _came(answer: Encoding, target: np.ndarray) -> Any:
    """The target of one step, as the user wrote it."""
    return _END if isinstance(answer, Text) and target[0] == answer.end else _single(answer.decode(target))


def _single(value: Any) -> Any:
    """The only element of a list of one."""
    return _single(value[0]) if isinstance(value, list) and len(value) == 1 else value
