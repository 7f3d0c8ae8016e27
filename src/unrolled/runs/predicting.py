"""What `predict` adds to a table beside a task's answers: the dates of a forecast, its last value, the past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.known_future import last_known
from unrolled.data.io.next_times import next_times
from unrolled.data.plans.windows import Plan, Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, counted
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.evaluate import run_over

__all__ = [
    "AHEAD",
    "FITTED",
    "MARK",
    "PREDICTED",
    "around",
    "fits",
    "is_judged",
    "known_steps",
    "one_row",
    "predictions",
    "with_columns",
]

MARK = b"predicted"  # in the metadata of a field: it is no column of the data
AHEAD, _LAST, FITTED, PREDICTED = "_ahead", "_last", "_fitted", "_predicted"  # endings of the names of columns
_AT_ONCE = 128  # windows in a batch


def predictions(network: Model, task: Task, examples: Examples, plan: Plan, device: str) -> dict[str, list[Any]]:
    """The task's answers as columns, one value for each row that the plan reads.

    Args:
        network, task: the model.
        examples: the rows.
        plan: what the batches hold.
        device: where the network runs.
    """
    answers: dict[str, list[Any]] = {}
    rows = len(examples.steps())
    for outputs, batch in run_over(network, Loader(examples, plan), device):
        for name, values in task.answers(outputs, batch).items():
            if name not in answers:
                answers[name] = [None] * rows
            column = answers[name]
            for row, value in zip(batch.rows.tolist(), values, strict=True):
                column[row] = value
    return answers


def known_steps(task: Task, part: Sequences, examples: Examples, by: str | None) -> np.ndarray:
    """(rows,) int64: the steps of each row that its prediction is made from.

    Args:
        task: the model's.
        part, examples: the data before and after encoding.
        by: the column that tells the sequences apart.
    """
    coder = task.coder
    if coder.framed:
        return examples.steps() - 1  # the next step is predicted before ``<end>``, not after it
    if not coder.ahead:
        return examples.steps()
    names, past = coder.joined or (coder.target,), examples.inputs[coder.target]
    return last_known(past, coder.horizon, part, names, coder.ahead, by)


def one_row(part: Sequences, row: int) -> Sequences:
    """Only the row ``row``, from 0.

    Raises:
        UsageError: there is no such row.
    """
    if not 0 <= row < len(part):
        raise UsageError(f"there is no row {row}: the data has {counted(len(part), 'row')}, and the first is row 0")
    return part.take(np.array([row]))


def is_judged(part: Sequences, task: Task) -> bool:
    """Whether ``part`` holds the target of every step that a prediction is made from."""
    coder = task.coder
    if coder.continues:
        return coder.framed  # after the last step of another row nothing is known
    return coder.target in part.table.column_names and not part.column(coder.target).null_count


def around(task: Task, part: Sequences, known: np.ndarray, order: str | None) -> Iterator[tuple[str, pa.Array]]:
    """Columns for a forecast: the times of its steps, and the last observed value of each channel.

    Args:
        task: a forecasting task.
        part: the data.
        known: (rows,) int64, the steps of each row that the forecast is made from.
        order: the column that orders the steps; ``None`` takes the only column of times, if there is one.
    """
    table, coder = part.table, task.coder
    order = order or _only_times(table)
    if order is not None and order in table.column_names and has_time(table.column(order).type):
        cells = [cell.values for cell in table.column(order)]
        times = [_times(cell, int(steps), coder.horizon) for cell, steps in zip(cells, known, strict=True)]
        yield f"{order}{AHEAD}", pa.array(times, pa.list_(table.column(order).type.value_type))
    for name in coder.joined or (coder.target,):
        if name in table.column_names and not pa.types.is_nested(table.column(name).type.value_type):
            yield f"{name}{_LAST}", _last(table.column(name), known)


def _only_times(table: pa.Table) -> str | None:
    lists = [field for field in table.schema if has_time(field.type)]
    names = [field.name for field in lists if pa.types.is_temporal(field.type.value_type)]
    return names[0] if len(names) == 1 else None


def _times(cell: pa.Array | None, known: int, horizon: int) -> list[Any]:
    """The times of the next ``horizon`` steps: those that the row holds already, else by its own step."""
    if cell is None:
        return [None] * horizon
    held = cell[known : known + horizon]
    found = held if len(held) == horizon else next_times(cell[:known], horizon)
    return [None] * horizon if found is None else found.to_pylist()


def _last(column: pa.ChunkedArray, known: np.ndarray) -> pa.Array:
    """The last value of each row among its first ``known`` steps that is not missing."""
    values = []
    for cell, steps in zip(column, known, strict=True):
        seen = [] if cell.values is None else cell.values[: int(steps)].drop_null()
        values.append(seen[-1].as_py() if len(seen) else None)
    return pa.array(values, column.type.value_type)


def fits(network: Model, task: Task, examples: Examples, known: np.ndarray, device: str) -> dict[str, list[Any]]:
    """For each channel and row, what was forecast for each step from the steps before it; the first has no forecast.

    Args:
        network, task: a model that forecasts.
        examples: the rows.
        known: (rows,) int64, the steps of each row that its forecast is made from.
        device: where the network runs.
    """
    ends = [np.arange(1, max(1, int(steps)), dtype=np.int64) for steps in known]
    rows = np.repeat(np.arange(len(known)), [len(of) for of in ends])
    plan = Windows(rows, np.concatenate([np.zeros(0, np.int64), *ends]), task.batching.lookback, _AT_ONCE)
    found: dict[str, list[Any]] = {}
    for outputs, batch in run_over(network, Loader(examples, plan), device):
        for name, values in task.answers(outputs, batch).items():
            if name.endswith(PREDICTED):
                fitted = name.removesuffix(PREDICTED) + FITTED
                if fitted not in found:
                    found[fitted] = [[None] if steps else [] for steps in known]
                column = found[fitted]
                for row, value in zip(batch.rows.tolist(), values, strict=True):
                    column[row].append(value[0])
    return found


def with_columns(part: Sequences, columns: dict[str, Any]) -> pa.Table:
    """The table of ``part`` with further columns, which are marked as ``predicted`` in the metadata of their fields.

    Raises:
        DataError: it has a column of the same name already.
    """
    table = part.table
    for name, values in columns.items():
        if name in table.column_names:
            taken = "is there already, so a prediction cannot have this name"
            raise DataError(taken, file=part.origin, column=name, hint="rename or drop the column")
        array = values if isinstance(values, pa.Array) else pa.array(values)
        table = table.append_column(pa.field(name, array.type, metadata={MARK: b""}), array)
    return table
