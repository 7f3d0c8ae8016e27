"""Examining a trained model on data: where it errs, how sure it is, and how far its figures can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from unrolled.batch import Batch
from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.examples import Examples
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, counted, did_you_mean, named
from unrolled.metrics._bootstrap import interval, redrawn
from unrolled.metrics._tally import Bin, Tally
from unrolled.metrics.metric import Sums, cost, in_order
from unrolled.metrics.scoring import Programs, added, programs, values
from unrolled.page.chart import Chart
from unrolled.page.notebook import cell, metrics_grid
from unrolled.tasks.task import Task
from unrolled.training.backtest import only_steps
from unrolled.training.units import Unit, Units

if TYPE_CHECKING:
    from unrolled.models.model import Model
    from unrolled.training.config import TrainingConfig

__all__ = ["Examination", "LabelRow", "Share", "Worst", "examine"]

_UNITS = 2_000  # units that are judged by themselves
_ROWS = 20  # with fewer rows, the bootstrap draws stretches and windows
_CLUSTERS, _LEAST = 200, 3  # groups that the bootstrap draws from, at most and at least
_SHOWN = 60  # characters of an input
_LENGTHS, _STEPS, _GROUPS = 5, 6, 20  # ranges of lengths and of steps ahead, and values of a column, that are shown


@dataclass(frozen=True, slots=True)
class LabelRow:
    """How well one label is found: of ``support`` questions about it and ``predicted`` answers with it."""

    label: Any
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True, slots=True)
class Share:
    """The metrics of a share of the data, with its name and how many units it has."""

    name: str
    units: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Worst:
    """One of the examples with the highest cost.

    Attributes:
        row: its row in the data, from 1.
        part: the window or stretch of a longer sequence, from 1; else ``None``.
        measure, value: the cost.
        right, answer: what is right and what was answered; ``None`` where a model continues or writes sequences.
        inputs: column -> the beginning of what was read.
    """

    row: int
    part: int | None
    measure: str
    value: float
    right: Any
    answer: Any
    inputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Examination:
    """A model examined on data.

    Attributes:
        metrics: the measures over all of it.
        intervals: measure -> the 95 % interval of a bootstrap over sequences, or over windows where there are few.
        labels, confusion: how well each label is found, and (K, K) how often the label of a line was answered with that
            of a column; of more than ten labels the rest is the last line and column, without a label in ``confused``.
        two_classes: AUROC and average precision of the label ``positive``, the second of two.
        calibration_error, calibration: of probabilities of labels.
        by_length, by_step, by_group: the metrics of parts of the data.
        worst: the examples with the highest cost.
        units, examined: how many sequences, windows or stretches there are, and how many were looked at one by one.
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    labels: tuple[LabelRow, ...] = ()
    confused: tuple[Any, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    two_classes: dict[str, float] = field(default_factory=dict)
    positive: Any = None
    calibration_error: float | None = None
    calibration: tuple[Bin, ...] = ()
    by_length: tuple[Share, ...] = ()
    by_step: tuple[Share, ...] = ()
    by_group: tuple[Share, ...] = ()
    worst: tuple[Worst, ...] = ()
    units: int = 0
    examined: int = 0

    def _repr_html_(self) -> str:
        ends = {"95 % from": 0, "to": 1}
        rows = {name: {one: pair[end] for one, pair in self.intervals.items()} for name, end in ends.items()}
        parts = [metrics_grid(in_order(self.metrics), rows, "all of it", "")]
        if len(self.confusion) > 1:
            names = [str(label) for label in self.confused]
            names += ["others"] * (len(self.confusion) - len(names))
            chart = Chart("Errors", x="predicted", y="right").cells(self.confusion, rows=names, columns=names)
            parts.append(chart.to_svg())
        named_parts = {"by length": self.by_length, "by step ahead": self.by_step, "by group": self.by_group}
        for name, shares in named_parts.items():
            if shares:
                first, *others = [(one.name, in_order(one.metrics)) for one in shares]
                parts.append(metrics_grid(first[1], dict(others), first[0], name))
        return cell("Examination", *parts)

    def to_json(self) -> dict[str, Any]:
        """All of it but the metrics, in names and numbers."""
        found = asdict(self) | {"calibration": [one._asdict() for one in self.calibration]}
        return {name: value for name, value in found.items() if name != "metrics"}


def examine(
    network: Model,
    task: Task,
    pieces: Iterable[tuple[Sequences, Examples]],
    config: TrainingConfig,
    device: str,
    *,
    worst: int = 0,
    group: str | None = None,
) -> Examination:
    """Judge a model on data as a whole and in parts.

    Args:
        network, task: the model.
        pieces: the data before and after encoding, with the same rows.
        config, device: as for `unrolled.training.evaluate.evaluate`.
        worst: how many of the worst examples to list, ≥ 0.
        group: a column whose values the metrics are shown for.

    Raises:
        UsageError: there is no column ``group``, or it has no single value for each sequence; or ``worst`` is below 0.

    Cost: one evaluation, and at most a few seconds for each doubling of the data; memory does not grow with it, but
        for 9 bytes a row where there are two labels.
    """
    if worst < 0:
        raise UsageError(f"{named('worst')} must be at least 0, got {worst}")
    tally = Tally(len(task.labels)) if task.labels else None
    horizon = task.coder.horizon or 0
    ranges = _ranges(horizon)
    ahead: list[Sums] = [{} for _ in ranges]

    def watch(outputs: Any, batch: Batch) -> None:
        labelled = None if tally is None else task.labelled(outputs, batch)
        if tally is not None and labelled is not None:
            tally.add(labelled.chosen, labelled.right, labelled.chances)
        for number, steps in enumerate(ranges):
            asked = torch.zeros(len(batch.rows), horizon, dtype=torch.bool)
            asked[:, steps[0] : steps[1]] = True
            ahead[number] = added(ahead[number], task.judge(outputs, only_steps(batch, asked)), config.own)

    found, rows = Units(_UNITS), dict[int, _Row]()
    for part, examples in pieces:
        _check_group(part, group)
        first = found.rows
        found.add(network, task, examples, config, device, watch)
        kept = {unit.row for unit in found.each}
        rows = {row: one for row, one in rows.items() if row in kept}
        steps = examples.steps()
        for row in kept - rows.keys():
            rows[row] = _row(task, part, row - first, int(steps[row - first]), group, shown=worst > 0)
    own, each = programs(config.own), found.each
    metrics = values(found.total, own)
    return Examination(
        metrics,
        _intervals(metrics, each, horizon, own),
        *(_label_tables(task, tally) if tally is not None and tally.support.any() else ((), (), ())),
        two_classes=tally.two_classes() if tally is not None else {},
        positive=task.labels[1] if len(task.labels) == 2 else None,
        calibration_error=tally.calibration_error() if tally is not None else None,
        calibration=tuple(tally.calibration()) if tally is not None else (),
        by_length=tuple(_by_length(each, np.array([rows[unit.row].steps for unit in each], np.int64), own)),
        by_step=tuple(
            Share(f"{a + 1}–{b} ahead" if b > a + 1 else f"{b} ahead", found.count, values(sums, own))
            for (a, b), sums in zip(ranges, ahead, strict=True)
        ),
        by_group=tuple(_by_group(each, rows, own)) if group is not None else (),
        worst=tuple(_worst(each, worst, task, rows, own)),
        units=found.count,
        examined=len(each),
    )


class _Row(NamedTuple):
    """What is shown of a row: its steps, its group, where it stands, what is right, and the beginning of its inputs."""

    steps: int
    group: Any
    where: int
    right: Any
    inputs: dict[str, str]


def _row(task: Task, part: Sequences, row: int, steps: int, group: str | None, *, shown: bool) -> _Row:
    table, target = part.table, task.coder.target
    name = None if group is None else table.column(group)[row].as_py()
    if not shown:
        return _Row(steps, name, 0, None, {})
    own = target in table.column_names and not task.coder.continues
    read = [column for column in task.coder.reads if column in table.column_names]
    inputs = {column: str(table.column(column)[row].as_py())[:_SHOWN] for column in read}
    right = table.column(target)[row].as_py() if own else None
    return _Row(steps, name, part.where(target).row(row), right, inputs)


def _ranges(horizon: int) -> list[tuple[int, int]]:
    """At most so many ranges of steps ahead, from 0, the end excluded; none if there is one step."""
    if horizon < 2:
        return []
    borders = np.unique(np.linspace(0, horizon, min(horizon, _STEPS) + 1).astype(int)).tolist()
    return list(pairwise(borders))


def _sum(groups: list[Sums]) -> Sums:
    total: Sums = {}
    for group in groups:
        for name, value in group.items():
            total[name] = total[name] + value if name in total else value
    return total


def _intervals(
    metrics: dict[str, float], each: list[Unit], horizon: int, own: Programs
) -> dict[str, tuple[float, float]]:
    """The interval of each measure: units of a row, and windows that overlap, are drawn together."""
    few = len({unit.row for unit in each}) < _ROWS
    clusters: dict[Any, list[Sums]] = {}
    for unit in each:
        clusters.setdefault((unit.row, unit.nth // max(1, horizon)) if few else unit.row, []).append(unit.sums)
    dealt = [_sum(cluster) for cluster in clusters.values()]
    groups = [_sum(dealt[at::_CLUSTERS]) for at in range(min(len(dealt), _CLUSTERS))]
    if len(groups) < _LEAST:
        return {}
    draws = redrawn(groups, own)
    found = {name: interval(name, draws) for name in metrics}
    return {name: ends for name, ends in found.items() if ends is not None}


def _label_tables(
    task: Task, tally: Tally
) -> tuple[tuple[LabelRow, ...], tuple[Any, ...], tuple[tuple[int, ...], ...]]:
    columns = (tally.precision(), tally.recall(), tally.f1(), tally.support, tally.predicted)
    order = np.argsort(-tally.support, kind="stable")
    rows = tuple(LabelRow(task.labels[k], *(column[k].item() for column in columns)) for k in order.tolist())
    table = tally.table()
    if table is None:
        return rows, (), ()
    shown, errors = table
    return rows, tuple(task.labels[k] for k in shown), tuple(tuple(line) for line in errors.tolist())


def _by_length(each: list[Unit], lengths: np.ndarray, own: Programs) -> Iterator[Share]:
    """Ranges of lengths with about equally many units; nothing if all are of one length."""
    if not len(lengths) or lengths.min() == lengths.max():
        return
    borders = np.unique(np.quantile(lengths, np.linspace(0, 1, _LENGTHS + 1)[1:-1]).astype(np.int64))
    places = np.searchsorted(borders, lengths, side="right")
    for place in range(len(borders) + 1):
        chosen = np.flatnonzero(places == place)
        if len(chosen):
            low, high = int(lengths[chosen].min()), int(lengths[chosen].max())
            name = f"{low}–{high} steps" if high > low else counted(low, "step")
            yield Share(name, len(chosen), values(_sum([each[at].sums for at in chosen]), own))


def _check_group(part: Sequences, group: str | None) -> None:
    """Refuse a column ``group`` that has no single value for each row.

    Raises:
        UsageError: it has none, or there is no such column.
    """
    if group is None:
        return
    if group not in part.table.column_names:
        close = did_you_mean(group, part.table.column_names)
        raise UsageError(f"{named('group')}: {part.origin} has no column {group!r}{close}")
    if has_time(part.table.column(group).type):
        raise UsageError(f"{named('group')}: {group!r} has a value for each step; name a column with one for each row")


def _by_group(each: list[Unit], rows: dict[int, _Row], own: Programs) -> Iterator[Share]:
    found: dict[Any, list[Sums]] = {}
    for unit in each:
        found.setdefault(rows[unit.row].group, []).append(unit.sums)
    largest = sorted(found.items(), key=lambda item: -len(item[1]))
    for name, sums in largest[:_GROUPS]:
        yield Share(str(name), len(sums), values(_sum(sums), own))
    if rest := [sums for _, group in largest[_GROUPS:] for sums in group]:
        yield Share(f"{len(largest) - _GROUPS} others", len(rest), values(_sum(rest), own))


def _worst(each: list[Unit], most: int, task: Task, rows: dict[int, _Row], own: Programs) -> Iterator[Worst]:
    """The units with the highest loss or, where a unit has none, with the highest cost in what chose the weights."""
    if not most:
        return
    found, signs = [], {name: cost(name, 1.0) for name in (task.watch, task.chooses)}
    for unit in each:
        scores = values(unit.sums, own)
        measure = next((name for name in (task.watch, task.chooses) if name in scores), None)
        if measure is not None and not np.isnan(scores[measure]):
            found.append((signs[measure] * scores[measure], measure, scores[measure], unit))
    found.sort(key=lambda item: -item[0])
    several = {unit.row for unit in each if unit.nth}
    for _, measure, value, unit in found[:most]:
        row, answer = rows[unit.row], unit.answer.get(f"{task.coder.target}_predicted")
        nth = unit.nth + 1 if unit.row in several else None
        yield Worst(row.where, nth, measure, value, row.right, answer, row.inputs)
