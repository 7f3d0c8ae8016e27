"""Compare trained runs on the same held-out data: judge each, and measure what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import Groups, grouped
from unrolled.errors import UsageError
from unrolled.inspection.cost import push_seconds, row_seconds
from unrolled.inspection.describe import describe
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics.metric import Sums, best_first, cost, in_order, measure
from unrolled.metrics.scoring import counts, values
from unrolled.models._copies import Copies
from unrolled.runs.comparable import Shared, check_comparable, shared_data
from unrolled.runs.compared import Compared, Comparison
from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.runs.training_log import read_log
from unrolled.storage.tensors import save_tensors
from unrolled.training.config import TrainingConfig
from unrolled.training.device import device_for
from unrolled.training.evaluate import evaluate, sums_over

__all__ = ["compare_runs"]

_LEAST = 3  # groups of which a standard error can be taken
_ENDLESS = 1 << 62  # steps: all of the split


def compare_runs(runs: Sequence[str | Path | Trained], data: Any = None, device: str = "auto") -> Comparison:
    """Compare trained runs on the same held-out data.

    The standard errors are those of a bootstrap over at most 40 groups of sequences, or of stretches of steps where
    there are few sequences. All runs are judged on the same groups, so a difference is often much surer than the two
    values are.

    Args:
        runs: at least two run directories, or models from `fit` or `load`.
        data: what to compare them on. Default: the test split if all have the same, else their validation split.
        device: where the networks run: ``cpu``, ``cuda``, or ``auto``.

    Raises:
        UsageError: there are fewer than two runs, they answer different questions, or have no split in common.
        DataError: the data cannot be read, or has changed since a run was trained.
        ModelError: a run is missing or damaged.

    Cost: one evaluation of each run on all of the data.
    """
    opened = _opened(runs)
    check_comparable(opened)
    shared, device = shared_data(opened, data), device_for(device)
    judged = {name: _judged(one, shared, name, device) for name, one in opened.items()}
    judged, left_out = _in_common(opened, judged)
    first = next(iter(opened.values()))
    chooses = _measure(first, judged)
    reference = next(iter(best_first({name: one.metrics for name, one in judged.items()}, chooses)))
    compared = {
        name: _compared(opened[name], one, judged[reference] if name != reference else None)
        for name, one in judged.items()
    }
    some = next(iter(judged.values()))
    cases = f"{some.groups.cases:,} {some.groups.what(some.examples)}"
    stopped = [name for name, one in compared.items() if not one.finished]
    notes = [f"{name} has not finished: its best weights so far are compared." for name in stopped]
    return Comparison(shared.name, cases, chooses, reference, compared, (*shared.notes, *left_out, *notes))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A run on the shared data: its metrics, and the sums of each group."""

    examples: Examples
    groups: Groups
    metrics: dict[str, float]
    sums: list[Sums]
    draws: list[dict[str, float]]
    microseconds: float
    streams: bool


def _opened(runs: Sequence[str | Path | Trained]) -> dict[str, Trained]:
    opened: dict[str, Trained] = {}
    for number, run in enumerate(runs, 1):
        trained = run if isinstance(run, Trained) else open_run(Path(run))
        name = str(run) if not isinstance(run, Trained) else str(trained.folder or f"model {number}")
        if name in opened:
            raise UsageError(f"{name} is given twice: leave one of them out")
        opened[name] = trained
    return opened


def _judged(trained: Trained, shared: Shared, name: str, device: str) -> _Judged:
    task, config = trained.task, trained.config.training
    examples = trained.encode(shared.parts[name], target=True)
    groups = grouped(examples, steps=_ENDLESS)
    network = Copies(trained.network).on(device)
    sums = [sums_over(network, task, part, config, device) for part in groups.parts]
    metrics = _values(sums, config) if groups.rows else evaluate(network, task, examples, config, device)
    if not metrics:
        raise UsageError(f"{shared.name} holds nothing that {name} can be judged on: give more or longer sequences")
    draws = redrawn(sums, config.own) if len(sums) >= _LEAST else []
    streams = trained.network.cannot_stream is None and not trained.task.coder.sides
    seconds = (
        push_seconds(trained.network, task.coder.specs)
        if streams
        else row_seconds(trained.network, task, examples, config)
    )
    return _Judged(examples, groups, in_order(metrics), sums, draws, seconds * 1e6, streams)


def _values(sums: Sequence[Sums], config: TrainingConfig) -> dict[str, float]:
    total: Sums = {}
    for part in sums:
        total = {name: total[name] + value if name in total else value for name, value in (total | part).items()}
    return values(total, config.own)


def _in_common(runs: Mapping[str, Trained], judged: dict[str, _Judged]) -> tuple[dict[str, _Judged], list[str]]:
    """Only the measures that mean the same in all runs, and a note about the others.

    Runs that encode the answers in different ways, as characters and as words, do not judge the same tokens.
    """
    names = list(judged)
    common = [m for m in judged[names[0]].metrics if all(m in one.metrics for one in judged.values())]
    answers = [trained.task.coder.answer.to_config() for trained in runs.values()]
    if any(answer != answers[0] for answer in answers):
        common = [name for name in common if _comparable(name, list(judged.values()))]
    every = {name for one in judged.values() for name in one.metrics}
    gone = sorted(every - set(common))
    if not common:
        raise UsageError(f"{names[0]} and {names[1]} have no measure in common: their answers are in different units")
    note = f"Left out, because not all runs have them in the same units: {', '.join(gone)}."
    kept = {name: replace(one, metrics={m: one.metrics[m] for m in common}) for name, one in judged.items()}
    return kept, [note] if gone else []


def _comparable(name: str, judged: Sequence[_Judged]) -> bool:
    """Whether a measure counts the same cases in all runs, in units that are not those of one run."""
    found = measure(name)
    asked = [sum(counts(part).get(name, 0.0) for part in one.sums) for one in judged]
    return (found is None or "training" not in found.unit) and all(count == asked[0] for count in asked)


def _measure(first: Trained, judged: Mapping[str, _Judged]) -> str:
    """The measure that chose the weights or, if it is left out, the first that says what is better."""
    names = next(iter(judged.values())).metrics
    directed = [name for name in (first.task.chooses, *names) if name in names and not math.isnan(cost(name, 0.0))]
    return directed[0] if directed else next(iter(names))


def _compared(trained: Trained, own: _Judged, reference: _Judged | None) -> Compared:
    measures = list(own.metrics)
    pairs = {name: _pair(name, own, reference) for name in measures} if reference is not None else {}
    weights = dict(trained.network.state_dict())
    description = describe(trained.task, trained.network)
    return Compared(
        model=description.title.rpartition(" for ")[0],
        metrics=own.metrics,
        errors={name: error for name in measures if not math.isnan(error := _spread(name, own.draws))},
        differences={name: difference for name, (difference, _) in pairs.items()},
        difference_errors={name: error for name, (_, error) in pairs.items() if not math.isnan(error)},
        weights=description.parameters,
        bytes=len(save_tensors(weights)),
        multiply_adds_per_step=description.multiply_adds_per_step,
        microseconds=own.microseconds,
        streams=own.streams,
        training_seconds=_training_seconds(trained.folder),
        finished=trained.folder is None or (trained.folder / "manifest.json").is_file(),
    )


def _pair(name: str, own: _Judged, reference: _Judged) -> tuple[float, float]:
    error = standard_error(name, own.draws, reference.draws) if len(own.draws) == len(reference.draws) else math.nan
    return own.metrics[name] - reference.metrics[name], error


def _spread(name: str, draws: Sequence[Mapping[str, float]]) -> float:
    found = torch.tensor([draw[name] for draw in draws if name in draw], dtype=torch.float64)
    return float(found.std()) if len(found) > 1 else math.nan


def _training_seconds(folder: Path | None) -> float | None:
    return None if folder is None else read_log(folder).spent or None
