"""The graph of a trained model: its columns in, its outputs in the data's own units out.

Axes: B rows, T steps, W width of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from unrolled.batch import Continuous, Spec, Spelled, lengths_of
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Scaled
from unrolled.errors import UsageError, named
from unrolled.layers.graph import Graph, Value, concat, where
from unrolled.models.model import Model
from unrolled.state import State, leaves, planted, walk
from unrolled.tasks.task import Task

__all__ = ["AFTER", "ANSWER", "LENGTHS", "OUTPUTS", "graph_of", "input_name", "inputs_of", "state_in", "state_out"]

LENGTHS, OUTPUTS, AFTER, ANSWER = "lengths", "outputs", ".after", "answer."
_ROWS, _STEPS = "rows", "steps"


def graph_of(task: Task, network: Model) -> Graph:
    """The graph of ``network``.

    Its inputs are the columns, ``lengths`` (rows,) int64 if any column has steps, and the state by its paths, such as
    ``state.layer.0.h``; its outputs are ``outputs``, and the state after the last step of each row, such as
    ``state.layer.0.h.after``. The state is there only where the model can be run in chunks. What the answers are made
    of is there too, in the data's own units, such as ``answer.p``. Numbers come in their own units as well.

    Raises:
        UsageError: the model cannot be exported.
    """
    g, specs = Graph(), task.coder.specs
    if task.coder.by_window:
        raise UsageError(f"a model that scales each window ({named('scale')} window) cannot be exported as a graph")
    inputs = {name: _column(g, name, spec, task.coder.inputs.get(name)) for name, spec in specs.items()}
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
    for name, (value, shape) in task.graph(outputs, inputs, lengths).items():
        g.output(ANSWER + name, value, shape)
    if state is not None:
        state_out(g, state, after)
    return g


def input_name(column: str) -> str:
    """The name of a column's input: its own, unless the graph uses that name for something else."""
    name = column.replace("\0", ".")
    reserved = name in (LENGTHS, OUTPUTS) or name.startswith(("state.", ANSWER)) or ":" in name
    return f"column.{name}" if reserved else name


def _column(g: Graph, name: str, spec: Spec, encoding: Encoding | None) -> Value:
    axes: list[int | str] = [_ROWS]
    if spec.side is not None:
        axes.append(f"{spec.side.axis}.steps")
    elif spec.time:
        axes.append(_STEPS)
    if isinstance(encoding, Scaled):
        return _scaled(g, name, encoding, axes)
    if isinstance(spec, Continuous | Spelled):
        axes.append(spec.width)
    return g.input(input_name(name), np.float32 if isinstance(spec, Continuous) else np.int64, axes)


def _scaled(g: Graph, name: str, encoding: Scaled, axes: Sequence[int | str]) -> Value:
    """A column that comes in its own units, and for how many steps each flagged channel has been missing."""
    scaling = encoding.scaling
    values = g.input(input_name(name), np.float64, (*axes, len(scaling.mean)))
    missing = values.apply("IsNaN")
    shown = (values + 1.0).apply("Log") if encoding.logarithm else values
    z = (shown - g.constant(scaling.mean)) / g.constant(scaling.std)
    parts = [where(missing, 0.0, z).to(np.float32)]
    if scaling.flagged:
        flagged = g.constant(scaling.flagged, np.int64)
        parts.append(g.op("Gather", missing, flagged, axis=-1).to(np.float32))
        if scaling.timed:
            unseen = g.input(gaps_name(name), np.int64, (*axes, len(scaling.flagged)))
            parts.append((unseen.to(np.float64) + 1.0).apply("Log").to(np.float32))
    return concat(parts, -1)


def inputs_of(task: Task, name: str) -> list[str]:
    """The graph's inputs of a column."""
    encoding = task.coder.inputs[name]
    gaps = isinstance(encoding, Scaled) and encoding.scaling.timed and encoding.scaling.flagged
    return [input_name(name), *([gaps_name(name)] if gaps else [])]


def gaps_name(column: str) -> str:
    """The name of the input that says for how many steps the values of a column have been missing."""
    return f"{input_name(column)}.gaps"


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
