"""Steps to try an exported model with, and what this package answers to them.

Axes: T steps, O answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.encodings.encoding import Where
from unrolled.data.encodings.facets import Text
from unrolled.export.c_code.step_of import Step
from unrolled.models.model import Model
from unrolled.tasks.task import Task

__all__ = ["STEPS", "Tried", "answered", "tried"]

STEPS = 200
_SMOOTH, _GAPS = 0.9, 0.05  # of one step to the next, and the share of values that are missing where some may be


class Tried(NamedTuple):
    """One step: its numbers, float32 in the data's units, and the ids of its symbols."""

    numbers: np.ndarray
    symbols: tuple[int, ...]


def tried(step: Step, count: int = STEPS) -> list[Tried]:
    """Steps that resemble the training data: wandering numbers of its mean and scale, and any of its symbols."""
    random = np.random.default_rng(0)
    columns = [_wandering(column.encoding, count, random) for column in step.numbers]
    numbers = np.concatenate([np.zeros((count, 0), np.float32), *columns], 1)
    symbols = [random.integers(0, len(column.names), count) for column in step.symbols]
    return [Tried(numbers[t], tuple(int(column[t]) for column in symbols)) for t in range(count)]


def _wandering(encoding: Any, count: int, random: np.random.Generator) -> np.ndarray:
    """(T, C) numbers; a column without time has the same at each step."""
    channels = len(encoding.mean)
    if encoding.binary:
        return random.integers(0, 2, (count, channels)).astype(np.float32)
    z = random.normal(size=(count if encoding.spec.time else 1, channels))
    for t in range(1, len(z)):
        z[t] = _SMOOTH * z[t - 1] + (1 - _SMOOTH**2) ** 0.5 * z[t]
    values = (np.broadcast_to(z, (count, channels)) * encoding.std + encoding.mean).astype(np.float32)
    for channel in encoding.flagged if encoding.spec.time else ():
        values[random.random(count) < _GAPS, channel] = np.nan
    return values


def answered(task: Task, network: Model, step: Step, steps: list[Tried], row: int | None = None) -> np.ndarray:
    """(T, O) what a live session of this package answers.

    Args:
        task, network: the model.
        step: its step; the answers are in the order of its program.
        steps: what is pushed.
        row: a new session begins after so many steps; ``None``: never.
    """
    if row is not None:
        rows = (steps[start : start + row] for start in range(0, len(steps), row))
        return np.concatenate([answered(task, network, step, one) for one in rows])
    live, memory = network.session(), dict[str, list[float]]()
    if step.opening is not None:
        live.push({step.symbols[0].name: torch.tensor([step.opening])})
    found = []
    for one in steps:
        inputs = dict(_encoded(step, one, memory))
        outputs = live.push(inputs)
        found.append(np.concatenate(list(_flat(task, step, inputs, outputs))))
    return np.stack(found)


def _encoded(step: Step, one: Tried, memory: dict[str, list[float]]) -> Iterator[tuple[str, Tensor]]:
    """The inputs of the network at a step, as a stream encodes them."""
    for column in step.numbers:
        own = one.numbers[column.place : column.place + len(column.channels)].tolist()
        cells = [None if value != value else value for value in own]
        cell = cells if len(cells) > 1 else cells[0]
        where = Where("the check", column.name)
        values, memory[column.name] = column.encoding.encode_live(cell, memory.get(column.name, ()), where)
        yield column.name, torch.from_numpy(values)
    for symbols in step.symbols:
        yield symbols.name, torch.tensor([one.symbols[symbols.place]])


def _flat(task: Task, step: Step, inputs: dict[str, Tensor], outputs: Tensor) -> Iterator[np.ndarray]:
    """The numbers of the task's own answers."""
    one = torch.ones(1, dtype=torch.int64)
    batch = Batch({name: value[:, None] for name, value in inputs.items()}, one, torch.zeros_like(one))
    shaped = outputs if task.pooled else outputs[:, None]
    columns = task.answers(shaped, batch)
    for answer in step.program.answers:
        if answer.chances:
            chances = torch.softmax(outputs[0], -1)
            coder = task.coder
            if task.continues and isinstance(coder.answer, Text):
                chances[list(coder.answer.never)] = 0
            yield chances.numpy().astype(np.float64)
        elif answer.name in columns:
            yield np.asarray(columns[answer.name][0], np.float64).flatten()
        else:  # a column for each label
            yield np.array([columns[f"{answer.name}_{label}"][0] for label in task.labels], np.float64)
