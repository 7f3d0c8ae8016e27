"""The graph of a trained model: its columns in, its outputs in the data's own units out.

Axes: B rows, T steps, W width of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from unrolled.batch import Batch, Continuous, Discrete, Spec, Spelled, lengths_of, letters_of
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Scaled
from unrolled.errors import UsageError, named
from unrolled.layers.graph import Graph, Value, concat, where, zeroed
from unrolled.models.model import Model, Writer
from unrolled.state import State, leaves, planted, walk
from unrolled.tasks.task import Task

__all__ = [
    *("AFTER", "ANSWER", "ATTENTION", "LENGTHS", "OUTPUTS", "SYMBOLS", "graph_of", "graphs_of", "input_name"),
    *("inputs_of", "state_in", "state_out"),
]

LENGTHS, OUTPUTS, AFTER, ANSWER = "lengths", "outputs", ".after", "answer."
SYMBOLS, ATTENTION = "symbols", "attention"
_ROWS, _STEPS = "rows", "steps"


def graphs_of(task: Task, network: Model) -> dict[str, Graph]:
    """The graphs of ``network`` by name: ``model``, or ``encoder`` and ``decoder`` of one that writes sequences.

    Raises:
        UsageError: the model cannot be exported.
    """
    return _writing(task, network) if isinstance(network, Writer) else {"model": graph_of(task, network)}


def graph_of(task: Task, network: Model) -> Graph:
    """The graph of ``network``.

    Its inputs are the columns, ``lengths`` (rows,) int64 if any column has steps, and the state by its paths, such as
    ``state.layer.0.h``; its outputs are ``outputs``, and the state after the last step of each row, such as
    ``state.layer.0.h.after``. The state is there only where the model can be run in chunks. What the answers are made
    of is there too, in the data's own units, such as ``answer.p``. Numbers come in their own units as well.

    Raises:
        UsageError: the model cannot be exported.
    """
    g = Graph()
    inputs, lengths = _read(g, task)
    state = network.initial_state(1) if network.causal else None
    before = None if state is None else state_in(g, state)
    outputs, after = network.graph(inputs, lengths, before)
    outputs = outputs if task.pooled else zeroed(outputs, lengths)
    g.output(OUTPUTS, outputs, (_ROWS, task.outputs) if task.pooled else (_ROWS, _STEPS, task.outputs))
    _answer(g, task, outputs, inputs, lengths)
    if state is not None:
        state_out(g, state, after)
    return g


def _writing(task: Task, network: Writer) -> dict[str, Graph]:
    """A graph that reads a row, and one that writes a symbol of its answer.

    The first has the inputs of `graph_of`, and gives the state. The second takes it and ``symbols`` (rows,) int64, the
    last ones that were written; it gives the scores of the next ones as ``outputs``, ``attention`` (rows, steps read)
    if it has any, and the parts of the state that have changed, such as ``state.decoder.lower.0.h.after``.
    """
    reads, writes = Graph(), Graph()
    like = network.run(_one_row(task))[0].start.state  # of any row: only its structure is asked for
    inputs, lengths = _read(reads, task)
    start = network.graph_of_reading(inputs, lengths)
    for (path, part, ragged), value in zip(walk(like, "state"), leaves(like, start), strict=True):
        reads.output(path, value, _shape(path, part, ragged))
    symbols, before = writes.input(SYMBOLS, np.int64, (_ROWS,)), state_in(writes, like)
    scores, attention, after = network.graph_of_writing(symbols, before)
    writes.output(OUTPUTS, scores, (_ROWS, task.outputs))
    _answer(writes, task, scores, {}, symbols)
    if attention is not None:
        writes.output(ATTENTION, attention, (_ROWS, "memory"))
    state_out(writes, like, after, before)
    return {"encoder": reads, "decoder": writes}


def _read(g: Graph, task: Task) -> tuple[dict[str, Value], Value]:
    """The columns as the network reads them, and the lengths of the rows."""
    specs, coder = task.coder.specs, task.coder
    if coder.by_window:
        raise UsageError(f"a model that scales each window ({named('scale')} window) cannot be exported as a graph")
    if coder.strands is not None:
        both = named("both_strands")
        raise UsageError(f"a model that reads both strands ({both}) is the mean of two passes: it cannot be exported")
    inputs = {name: _column(g, name, spec, coder.inputs.get(name)) for name, spec in specs.items()}
    for axis in dict.fromkeys(spec.side.axis for spec in specs.values() if spec.side is not None):
        inputs[lengths_of(axis)] = g.input(input_name(lengths_of(axis)), np.int64, (_ROWS,))
    if any(spec.time for spec in specs.values()):
        return inputs, g.input(LENGTHS, np.int64, (_ROWS,))
    first = next(iter(inputs.values()))
    return inputs, g.constant(np.ones(1, np.int64)).expand(first.size(0))


def _one_row(task: Task) -> Batch:
    """A batch of one row with one step."""
    inputs: dict[str, torch.Tensor] = {}
    for name, spec in task.coder.specs.items():
        shape = (1, 1) if spec.time or spec.side is not None else (1,)
        width = () if isinstance(spec, Discrete) else (spec.width,)
        dtype = torch.float32 if isinstance(spec, Continuous) else torch.int64
        inputs[name] = torch.zeros(*shape, *width, dtype=dtype)
        if spec.side is not None:
            inputs[lengths_of(spec.side.axis)] = torch.ones(1, dtype=torch.int64)
    return Batch(inputs, torch.ones(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


def _answer(g: Graph, task: Task, outputs: Value, inputs: dict[str, Value], lengths: Value) -> None:
    for name, (value, shape) in task.graph(outputs, inputs, lengths).items():
        g.output(ANSWER + name, value, shape)


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
    letters = [input_name(letters_of(name))] if letters_of(name) in task.coder.specs else []
    return [input_name(name), *([gaps_name(name)] if gaps else []), *letters]


def gaps_name(column: str) -> str:
    """The name of the input that says for how many steps the values of a column have been missing."""
    return f"{input_name(column)}.gaps"


def state_in(g: Graph, state: State) -> Any:
    """Every tensor of ``state`` as an input."""
    found = [g.input(path, _dtype(part), _shape(path, part, ragged)) for path, part, ragged in walk(state, "state")]
    return planted(state, found)


def state_out(g: Graph, state: State, after: Any, before: Any = None) -> None:
    """Every value of ``after``, which is of the structure of ``state``, as an output; but not those of ``before``."""
    same = set() if before is None else {value.name for value in leaves(state, before)}
    for (path, part, ragged), value in zip(walk(state, "state"), leaves(state, after), strict=True):
        if value.name in same:
            continue
        g.output(path + AFTER, value, _shape(path + AFTER, part, ragged))


def _shape(path: str, part: torch.Tensor, ragged: bool) -> tuple[int | str, ...]:
    free = (f"{path}.steps",) if ragged else ()
    return (_ROWS, *free, *part.shape[1 + len(free) :])


def _dtype(part: torch.Tensor) -> Any:
    return np.dtype(str(part.dtype).removeprefix("torch."))
