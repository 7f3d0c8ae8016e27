"""The graph of a trained model: its columns in, its outputs in the data's own units out.

Axes: B rows, T steps, W width of a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from unrolled.batch import Continuous, Spec, Spelled, lengths_of
from unrolled.layers.graph import Graph, Value
from unrolled.models.model import Model
from unrolled.state import State, leaves, planted, walk
from unrolled.tasks.task import Task

__all__ = ["AFTER", "LENGTHS", "OUTPUTS", "graph_of", "input_name", "state_in", "state_out"]

LENGTHS, OUTPUTS, AFTER = "lengths", "outputs", ".after"
_ROWS, _STEPS = "rows", "steps"


def graph_of(task: Task, network: Model) -> Graph:
    """The graph of ``network``.

    Its inputs are the columns, ``lengths`` (rows,) int64 if any column has steps, and the state by its paths, such as
    ``state.layer.0.h``; its outputs are ``outputs``, and the state after the last step of each row, such as
    ``state.layer.0.h.after``. The state is there only where the model can be run in chunks.

    Raises:
        UsageError: the model cannot be exported.
    """
    g, specs = Graph(), task.coder.specs
    inputs = {name: _column(g, name, spec) for name, spec in specs.items()}
    for axis in dict.fromkeys(spec.side.axis for spec in specs.values() if spec.side is not None):
        inputs[lengths_of(axis)] = g.input(input_name(lengths_of(axis)), np.int64, (_ROWS,))
    if any(spec.time for spec in specs.values()):
        lengths = g.input(LENGTHS, np.int64, (_ROWS,))
    else:
        first = next(iter(inputs.values()))
        lengths = g.constant(np.ones(1, np.int64)).expand(first.size(0))
    state = network.initial_state(1) if network.causal else None
    before = None if state is None else state_in(g, state)
    outputs, after = network.graph(inputs, lengths, before)
    pooled = len(task.coder.specs) > 0 and task.pooled
    g.output(OUTPUTS, outputs, (_ROWS, task.outputs) if pooled else (_ROWS, _STEPS, task.outputs))
    if state is not None:
        state_out(g, state, after)
    return g


def input_name(column: str) -> str:
    """The name of a column's input: its own, unless the graph uses that name for something else."""
    name = column.replace("\0", ".")
    reserved = name in (LENGTHS, OUTPUTS) or name.startswith("state.") or ":" in name
    return f"column.{name}" if reserved else name


def _column(g: Graph, name: str, spec: Spec) -> Value:
    axes: list[int | str] = [_ROWS]
    if spec.side is not None:
        axes.append(f"{spec.side.axis}.steps")
    elif spec.time:
        axes.append(_STEPS)
    if isinstance(spec, Continuous | Spelled):
        axes.append(spec.width)
    return g.input(input_name(name), np.float32 if isinstance(spec, Continuous) else np.int64, axes)


def state_in(g: Graph, state: State) -> Any:
    """Every tensor of ``state`` as an input."""
    found = [g.input(path, _dtype(part), _shape(path, part, ragged)) for path, part, ragged in walk(state, "state")]
    return planted(state, found)


def state_out(g: Graph, state: State, after: Any) -> None:
    """Every value of ``after``, which is of the structure of ``state``, as an output."""
    for (path, part, ragged), value in zip(walk(state, "state"), leaves(state, after), strict=True):
        g.output(path + AFTER, value, _shape(path + AFTER, part, ragged))


def _shape(path: str, part: torch.Tensor, ragged: bool) -> tuple[int | str, ...]:
    free = (f"{path}.steps",) if ragged else ()
    return (_ROWS, *free, *part.shape[1 + len(free) :])


def _dtype(part: torch.Tensor) -> Any:
    return np.dtype(str(part.dtype).removeprefix("torch."))
