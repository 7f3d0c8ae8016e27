"""The contracts of a task and of a baseline as functions of a small run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.api import fit, load
from unrolled.baselines.baseline import Baseline
from unrolled.config import default_options, made
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores
from unrolled.runs.trained import Trained
from unrolled.testing.report import require

__all__ = ["BASELINE_CONTRACTS", "TASK_CONTRACTS", "SmallRun"]

_SMALL = {"steps": 2, "hidden": 4, "batch": 4, "seed": 0, "device": "cpu"}


@dataclass(frozen=True)
class SmallRun:
    """A run of a few steps.

    Attributes:
        data: a table of a few rows: column -> values.
        options: the options, as for `unrolled.fit`.
        folder: where it is saved.
    """

    data: Mapping[str, Any]
    options: Mapping[str, Any]
    folder: Path

    @cached_property
    def trained(self) -> Trained:
        """The model, trained at the first access."""
        return fit(dict(self.data), out=self.folder, **{**_SMALL, **self.options})

    @cached_property
    def examples(self) -> Examples:
        """The data as numbers."""
        return self.trained.encode(self.trained.read(dict(self.data)), target=True)

    def row(self, number: int) -> dict[str, Any]:
        """One row of the data."""
        return {name: values[number : number + 1] for name, values in self.data.items()}


def trains(run: SmallRun) -> None:
    """It trains on the example, and has finite metrics, which include watch and chooses."""
    metrics = run.trained.evaluate(dict(run.data))
    odd = [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]
    require(not odd, f"metrics are not finite: {', '.join(odd)}")
    wanted = {run.trained.task.watch, run.trained.task.chooses}
    require(wanted <= metrics.keys(), f"watch and chooses are {wanted}, but its metrics are {', '.join(metrics)}")


def answers_each_row(run: SmallRun) -> None:
    """Predict returns one answer for each row, in new columns."""
    table = run.trained.predict(dict(run.data))
    count = len(next(iter(run.data.values())))
    require(table.num_rows == count, f"there are {table.num_rows} answers for {count} rows")
    require(len(_answers(run, table)) > 0, f"predict adds no column to {', '.join(run.data)}")


def answers_a_row_alone(run: SmallRun) -> None:
    """C3: a row's answer does not depend on other rows."""
    together = _answers(run, run.trained.predict(dict(run.data)))
    for number in range(len(next(iter(run.data.values())))):
        alone = _answers(run, run.trained.predict(run.row(number)))
        for name, values in together.items():
            found, wanted = alone[name][0], values[number]
            require(_close(found, wanted), f"row {number + 1} has {name} = {found!r} alone, but {wanted!r} with others")


def saved_and_loaded(run: SmallRun) -> None:
    """C8: the saved and loaded run has the same answers and metrics, bit for bit."""
    data, loaded = dict(run.data), load(run.trained.folder or run.folder)
    require(loaded.predict(data).equals(run.trained.predict(data)), "the loaded model gives other answers")
    require(loaded.evaluate(data) == run.trained.evaluate(data), "the loaded model has other metrics")


TASK_CONTRACTS: Sequence[Callable[[SmallRun], None]] = (
    trains,
    answers_each_row,
    answers_a_row_alone,
    saved_and_loaded,
)


def applies(baseline: type[Baseline], run: SmallRun) -> None:
    """It has a name for tables, and applies to the example."""
    require(isinstance(baseline.name, str) and bool(baseline.name), f"name is {baseline.name!r}, expected a text")
    found = baseline.applies(run.examples)
    require(found is True, f"applies gives {found!r} for the example, expected True")


def has_metrics(baseline: type[Baseline], run: SmallRun) -> None:
    """Its answers have metrics, none of which is NaN."""
    values = scores(_fitted(baseline, run).judge(run.examples))
    odd = [f"{name} = {value}" for name, value in values.items() if math.isnan(value)]
    require(bool(values) and not odd, f"its metrics are {', '.join(odd) or 'none'}")


def always_the_same(baseline: type[Baseline], run: SmallRun) -> None:
    """C9: the same split gives the same baseline, and scoring does not change it."""
    fitted, again = _fitted(baseline, run), _fitted(baseline, run)
    first = scores(fitted.judge(run.examples))
    for found in (scores(fitted.judge(run.examples)), scores(again.judge(run.examples))):
        require(found == first, f"its metrics were {first}, but are now {found}")


BASELINE_CONTRACTS: Sequence[Callable[[type[Baseline], SmallRun], None]] = (applies, has_metrics, always_the_same)


def _fitted(baseline: type[Baseline], run: SmallRun) -> Baseline:
    found: Baseline = made(baseline.fit, run.examples, options=default_options(baseline))
    return found


def _answers(run: SmallRun, table: pa.Table) -> dict[str, list[Any]]:
    """The columns that predict has added."""
    return {name: table.column(name).to_pylist() for name in table.column_names if name not in run.data}


def _close(found: Any, wanted: Any) -> bool:
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_close, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-5)
    return bool(found == wanted)
