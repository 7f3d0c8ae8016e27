"""What a comparison of runs found, as tables, JSON and a picture: their metrics, differences and cost."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from unrolled.metrics.metric import cost, measure
from unrolled.page.chart import Chart, picture
from unrolled.page.notebook import cell, grid, sentences
from unrolled.page.scales import written

__all__ = ["Compared", "Comparison"]

_WIDE = 10_000  # characters: a terminal wraps a long line better than a table its cells
_SURE = 2.0  # standard errors: one difference in twenty is as large by chance


@dataclass(frozen=True, slots=True)
class Compared:
    """One run of a comparison.

    Attributes:
        model: its model, in words.
        metrics: measure -> value.
        errors: measure -> the standard error of the value; without those that are unknown.
        differences: measure -> the value minus that of the reference; empty for the reference itself.
        difference_errors: measure -> the standard error of the difference, over the same groups of sequences.
        weights: the number of trained values.
        bytes: the size of the file of weights.
        multiply_adds_per_step: see `unrolled.inspection.describe.Description`.
        microseconds: the measured time of a live step, or of a row of the data if the model cannot stream.
        streams: whether it is a live step.
        training_seconds: how long it was trained; ``None`` if that was not kept.
        finished: false for a run that was stopped, of which the best weights so far are compared.
    """

    model: str
    metrics: dict[str, float]
    errors: dict[str, float] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    difference_errors: dict[str, float] = field(default_factory=dict)
    weights: int = 0
    bytes: int = 0
    multiply_adds_per_step: int | None = 0
    microseconds: float = 0.0
    streams: bool = True
    training_seconds: float | None = None
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side; ``print`` shows it as tables.

    Attributes:
        split: the data: ``test`` or ``valid``, which all runs share, or the name of a file.
        cases: how much that is, in words.
        measure: the measure that chose the weights, by which the reference is the best.
        reference: the run that the others are compared with: the best or, where no value is better, the first.
        runs: name -> the run, in the given order.
        notes: what the user should know.
    """

    split: str
    cases: str
    measure: str
    reference: str
    runs: dict[str, Compared]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n\n".join(_blocks(self))

    def to_json(self) -> dict[str, Any]:
        """All of it in names and numbers; what is not finite is ``None``."""
        found: dict[str, Any] = _finite(asdict(self))
        return found

    def _repr_html_(self) -> str:
        costs = grid(["cost", *_COSTS], [[name, *_costs(one)] for name, one in self.runs.items()])
        return cell(
            "Runs side by side",
            *(grid(*one) for one in _tables(self)),
            sentences([*_said(self), *self.notes]),
            costs,
            self.to_svg(),
        )

    def to_svg(self) -> str:
        """A picture: a chart for each measure and cost, a dot for each run, and two standard errors around it."""
        title = f"{self.split}, {self.cases}; lines are two standard errors"
        return picture(list(_charts(self)), title, columns=2)


def _blocks(found: Comparison) -> Iterator[str]:
    metrics, differences = _tables(found)
    yield _table(*metrics)
    yield _table(*differences)
    yield "\n".join([*_said(found), *found.notes])
    yield _table(["cost", *_COSTS], [[name, *_costs(one)] for name, one in found.runs.items()])


def _tables(found: Comparison) -> tuple[tuple[list[str], list[list[str]]], tuple[list[str], list[list[str]]]]:
    """(head, rows) of the metrics and of the differences to the reference."""
    names = list(found.runs[found.reference].metrics)
    where = f"{found.split} split" if found.split in ("test", "valid") else found.split
    own = [[n, *(_with_error(one.metrics[m], one.errors.get(m)) for m in names)] for n, one in found.runs.items()]
    others = [
        [run, *(_difference(one, name) for name in names)] for run, one in found.runs.items() if run != found.reference
    ]
    return ([f"{where}, {found.cases}", *names], own), ([f"minus {found.reference}", *names], others)


_COSTS = ("model", "weights", "kB on disk", "multiply-adds a step", "µs", "seconds of training")


def _costs(one: Compared) -> list[str]:
    trained = "" if one.training_seconds is None else f"{one.training_seconds:.3g}"
    alone = f"{one.microseconds:.3g} a {'live step' if one.streams else 'row'}"
    size = f"{one.bytes / 1e3:,.1f}"
    step = "" if one.multiply_adds_per_step is None else f"{one.multiply_adds_per_step:,}"
    return [one.model, f"{one.weights:,}", size, step, alone, trained]


def _said(found: Comparison) -> Iterator[str]:
    """A sentence for each run but the reference, by the measure that chose the weights."""
    name = found.measure
    for run, one in found.runs.items():
        if run == found.reference:
            continue
        error, difference = one.difference_errors.get(name), one.differences[name]
        if error is None:
            yield f"{run} against {found.reference}: there is too little data for a standard error of {name}."
            continue
        known = "differs from" if math.isnan(cost(name, 0.0)) else "is worse than"  # the reference is the best
        how = known if abs(difference) > _SURE * error else "cannot be told from"
        yield f"{run} {how} {found.reference}: {name} differs by {abs(difference):.2g} ± {error:.1g}."


def _with_error(value: float, error: float | None) -> str:
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.1g}"


def _difference(one: Compared, name: str) -> str:
    return _with_error(one.differences[name], one.difference_errors.get(name)).replace("-", "−", 1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    Console(file=text, width=_WIDE, color_system=None, markup=False, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def _charts(found: Comparison) -> Iterator[Chart]:
    each = found.runs.items()
    for name in found.runs[found.reference].metrics:
        declared = measure(name)
        better = "" if declared is None or declared.better is None else f"{declared.better} is better"
        errors = {run: _SURE * one.errors[name] for run, one in each if name in one.errors}
        yield _chart(name, better, {run: one.metrics[name] for run, one in each}, errors, found.reference)
    yield _chart("weights", "", {run: float(one.weights) for run, one in each}, {}, found.reference)
    times = {run: one.microseconds for run, one in each}
    yield _chart("µs a step or row", "lower is better", times, {}, found.reference)


def _chart(title: str, better: str, values: dict[str, float], spread: dict[str, float], reference: str) -> Chart:
    chart = Chart(title, x=better)
    for run, value in values.items():  # before the dots, so that the runs stand in their own order
        chart.label(value, run, written(value))
    for name, runs in (("reference", [reference]), ("others", [run for run in values if run != reference])):
        chart.dots([values[run] for run in runs], runs, name, spread=[spread.get(run, math.nan) for run in runs])
    return chart


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
