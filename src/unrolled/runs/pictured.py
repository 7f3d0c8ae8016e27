"""The predictions of a table as charts: forecasts with their intervals, labels along a row, probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.page.chart import Chart, picture
from unrolled.runs.layouts import data_of
from unrolled.runs.predicting import AHEAD, FITTED, PREDICTED
from unrolled.tasks.task import Task
from unrolled.views.intervals import intervals

__all__ = ["MOST", "check_pictured", "pictured", "with_what_came"]

MOST = 8  # charts in a picture
_ROWS, _LABELS = 24, 12  # of a chart of probabilities
_STEPS, _NAMED = 300, 48  # of a chart of tags: the most steps, and the most with their words
_HORIZONS = 4  # how many horizons of the past a forecast is drawn with
_CAME = "_came"  # the ending of the name of a column
_GIVEN = "the given label, where it differs"
_WORDS = 24  # letters of a text that stand for it


def check_pictured(task: Task) -> None:
    """Check that the answers of ``task`` can be drawn.

    Raises:
        UsageError: they cannot.
    """
    if _drawer(task) is None:
        raise UsageError(
            f"there is no picture of the answers of {task.name!r}: forecasts, tags, ranks and labels are drawn"
        )


def pictured(task: Task, table: pa.Table, series: str | None) -> str:
    """The first `MOST` predictions of a table as a picture.

    Args:
        task: the model's.
        table: what ``predict`` answered.
        series: the column that names each row; ``None``: rows are numbered.

    Raises:
        UsageError: the task has no picture.
    """
    check_pictured(task)
    drawer = _drawer(task)
    assert drawer is not None
    charts = list(islice(drawer(task, table, _names(table, series)), MOST + 1))
    shown = charts[:MOST]
    title = f"the first {MOST} predictions" if len(charts) > MOST else "predictions"
    return picture(shown or [Chart(about="There are no rows.")], f"{task.coder.target}: {title}")


class _Drawer(Protocol):
    def __call__(self, task: Task, table: pa.Table, names: Sequence[str]) -> Iterator[Chart]: ...


def _drawer(task: Task) -> _Drawer | None:
    return _DRAWERS.get(task.layout) or (_chances if task.labels and task.layout == "rows" else None)


def _names(table: pa.Table, series: str | None) -> list[str]:
    if series in table.column_names and not pa.types.is_nested(table.field(series).type):
        return [str(name) for name in table.column(series).to_pylist()]
    return [f"row {row + 1}" for row in range(table.num_rows)]


def _forecasts(task: Task, table: pa.Table, names: Sequence[str]) -> Iterator[Chart]:
    """A chart for each row and channel: the end of the past, the forecast and its intervals."""
    added, channels, times = _added(table)
    for row in range(table.num_rows):
        answers = {name: table.column(name)[row].as_py() for name in added}
        for place, channel in enumerate(channels):
            ahead = answers[channel + PREDICTED]
            if not ahead:
                continue
            past = _values(task, table, row, channel, place)[: _known(task, table, row)]
            start = max(0, len(past) - _HORIZONS * len(ahead))
            before, after = _places(table, row, len(past), times, answers.get(times), len(ahead))
            title = names[row] if len(channels) == 1 else f"{names[row]}: {channel}"
            chart = Chart(title, x=(times.removesuffix(AHEAD) if times else "step"), y=channel)
            chart.line(before[start:], past[start:], "observed")
            chart.line(after, ahead, "forecast")
            for each in intervals(answers, channel):
                chart.band(after, each.low, each.high, f"{each.percent:g} % interval")
            if fitted := answers.get(channel + FITTED):
                chart.line(before[start:], np.array(fitted, np.float64)[start:], "forecast one step ahead")
            if came := answers.get(channel + _CAME):
                chart.line(after, came, "what came")
            yield chart


def with_what_came(task: Task, table: pa.Table, later: Sequences, series: str | None) -> pa.Table:
    """A table of forecasts with what came later, for `pictured` to draw beside them.

    Args:
        task: a forecasting task.
        table: what ``predict`` answered.
        later: the data again, with the steps that are forecast; steps are found by their times, or else counted.
        series: the column that names each row.

    Raises:
        UsageError: the task is no forecast.
        DataError: ``later`` has no value at any step of a forecast.
    """
    if not task.coder.horizon:
        raise UsageError(f"{named('truth')} only works with a forecast; this model's task is {task.name!r}")
    _, channels, times = _added(table)
    rows = {name: row for row, name in enumerate(_names(later.table, series))}
    found = False
    for place, channel in enumerate(channels):
        column = []
        for row, name in enumerate(_names(table, series)):
            values = _values(task, later.table, rows[name], channel, place) if name in rows else np.zeros(0)
            ahead = table.column(times)[row].as_py() if times and name in rows else None
            if ahead and None not in ahead:
                held = later.table.column(times.removesuffix(AHEAD))[rows[name]].as_py()
                came = [dict(zip(held, values.tolist(), strict=True)).get(time, np.nan) for time in ahead]
            else:
                known = _known(task, table, row)
                came = values[known : known + task.coder.horizon].tolist()
                came += [np.nan] * (task.coder.horizon - len(came))
            column.append(came)
        found = found or bool(np.isfinite(np.array(column, np.float64)).any())
        field = pa.field(channel + _CAME, pa.list_(pa.float64()), metadata={"predicted": ""})
        table = table.append_column(field, pa.array(column, field.type))
    if not found:
        nothing = "has no value at the steps that are forecast"
        raise DataError(nothing, file=later.origin, hint=f"{named('truth')} is the data again, with what came later")
    return table


def _added(table: pa.Table) -> tuple[list[str], list[str], str]:
    """The columns that predictions added, the channels that are forecast, and the column of their times or nothing."""
    added = [name for name in table.column_names if name not in data_of(table)]
    channels = [name.removesuffix(PREDICTED) for name in added if name.endswith(PREDICTED)]
    return added, channels, next((name for name in added if name.endswith(AHEAD)), "")


def _known(task: Task, table: pa.Table, row: int) -> int:
    """The steps of a row before its forecast: of known covariates it has the future too."""
    column = next(name for name in (task.coder.joined or (task.coder.target,)) if name in table.column_names)
    return len(table.column(column)[row].as_py() or []) - (task.coder.horizon if task.coder.ahead else 0)


def _values(task: Task, table: pa.Table, row: int, channel: str, place: int) -> np.ndarray:
    """(T,) the values of one channel in a row; NaN where there is none."""
    cells = table.column(channel if channel in table.column_names else task.coder.target)[row].as_py() or []
    return np.array(
        [cell[place] if isinstance(cell, list) else np.nan if cell is None else cell for cell in cells], float
    )


def _places(
    table: pa.Table, row: int, known: int, times: str, ahead: Sequence[Any] | None, horizon: int
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Where the past and the future stand: at their times if all are known, else at the numbers of their steps."""
    if ahead is not None and None not in ahead:
        past = table.column(times.removesuffix(AHEAD))[row].as_py()[:known]
        if None not in past:
            return past, ahead
    return range(1, known + 1), range(known + 1, known + horizon + 1)


def _tags(task: Task, table: pa.Table, names: Sequence[str]) -> Iterator[Chart]:
    """A chart for each row: its steps to the right, its labels below each other, how sure each is as a shade."""
    target = task.coder.target
    given = table.column(target) if target in data_of(table) else None
    words = _step_words(table, target)
    for row, name in enumerate(names):
        found = table.column(target + PREDICTED)[row].as_py() or []
        right = (given[row].as_py() or []) if given is not None else []
        labels = [label for label in task.labels if label in {*found, *right}]
        if not labels:
            continue
        shown = min(len(found), _STEPS)
        chances = np.zeros((len(labels), shown))
        for step, (label, p) in enumerate(zip(found[:shown], table.column(f"{target}_p")[row].as_py(), strict=False)):
            chances[labels.index(label), step] = p
        texts = [str(word) for word in (words[row].as_py() or [])] if words is not None and shown <= _NAMED else []
        whole = name if shown == len(found) else f"{name}: the first {shown} of {len(found)} steps"
        chart = Chart(whole, x="step", about="A shade is the probability of the label that was chosen.")
        chart.cells(
            chances, rows=[str(label) for label in labels], columns=texts if len(texts) == shown else (), most=1
        )
        wrong = [step for step in range(min(shown, len(right))) if right[step] not in (None, found[step])]
        if wrong:
            chart.dots(wrong, [labels.index(right[step]) for step in wrong], _GIVEN)
        yield chart


def _step_words(table: pa.Table, target: str) -> pa.ChunkedArray | None:
    """The column that has a text for each step, if there is one."""
    for field in table.schema:
        listed = field.name != target and field.name in data_of(table) and pa.types.is_nested(field.type)
        if listed and (pa.types.is_string(field.type.value_type) or pa.types.is_large_string(field.type.value_type)):
            return table.column(field.name)
    return None


def _chances(task: Task, table: pa.Table, names: Sequence[str]) -> Iterator[Chart]:
    """One chart: a row for each of the first rows, a column for each of their likeliest labels."""
    target, count = task.coder.target, min(table.num_rows, _ROWS)
    chances = np.array(
        [table.column(f"{target}_p_{label}").slice(0, count).to_pylist() for label in task.labels], float
    )
    kept = np.sort(np.argsort(-chances.max(1, initial=0.0), kind="stable")[:_LABELS])
    few = f"the likeliest {len(kept)} of {len(task.labels)} labels" if len(kept) < len(task.labels) else "the labels"
    title = f"the first {count:,} of {table.num_rows:,} rows" if count < table.num_rows else "all rows"
    chart = Chart(title, x=target, about=f"Probabilities of {few}.")
    rows = [f"{name}: {text}" for name, text in zip(names, _beginnings(table, count), strict=False)]
    chart.cells(chances[kept].T, rows=rows, columns=[str(task.labels[k]) for k in kept], most=1)
    if target in data_of(table):
        pairs = zip(*(table.column(of).slice(0, count).to_pylist() for of in (target, target + PREDICTED)), strict=True)
        columns = {task.labels[k]: place for place, k in enumerate(kept.tolist())}
        wrong = [(columns[right], row) for row, (right, found) in enumerate(pairs) if _wrong(right, found, columns)]
        if wrong:
            places, lines = zip(*wrong, strict=True)
            chart.dots(places, lines, _GIVEN)
    yield chart


def _wrong(right: Any, found: Any, columns: Mapping[Any, int]) -> bool:
    """Whether one label is given, another was chosen, and it has its column."""
    return not isinstance(right, list) and right is not None and right != found and right in columns


def _beginnings(table: pa.Table, count: int) -> list[str]:
    """The beginning of the first text of each row; empty without one."""
    for field in table.schema:
        if field.name in data_of(table) and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            return [str(text or "")[:_WORDS] for text in table.column(field.name).slice(0, count).to_pylist()]
    return [""] * count


def _ranks(task: Task, table: pa.Table, names: Sequence[str]) -> Iterator[Chart]:
    """A chart for each row: a bar for each of its likeliest answers."""
    target = task.coder.target
    for row, name in enumerate(names):
        top, chances = (table.column(f"{target}_{of}")[row].as_py() for of in ("top", "top_p"))
        yield Chart(name, x="probability").bars(chances, [str(item) for item in top])


_DRAWERS: Mapping[str, _Drawer] = {"ahead": _forecasts, "steps": _tags, "ranked": _ranks}
