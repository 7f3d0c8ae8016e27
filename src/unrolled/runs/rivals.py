"""What a model has to beat: the baselines and the solved models, fitted on the training split."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unrolled.baselines.baseline import Judge, fit_baselines, score_baselines
from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError
from unrolled.metrics.judged import Answers
from unrolled.metrics.metric import best_first
from unrolled.metrics.scoring import Own
from unrolled.runs.config import RunConfig
from unrolled.runs.plan import Say
from unrolled.solved.solved_model import SOLVED, SolvedModel, solve_all
from unrolled.storage.directories import write_file
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.device import device_for
from unrolled.training.evaluate import outputs_over
from unrolled.training.schedule import Budget

__all__ = ["SOLVED_IN_TIME", "Rivals", "rivals_in_time", "rivals_of", "solved_of"]

SOLVED_IN_TIME = "solved.json"  # in the run directory until the run is finished
_SAID, _SHARE = 4, 0.1  # rivals in a line; of a budget in time, for solving


@dataclass(frozen=True, slots=True)
class _Solved:
    """A solved model, judged like a baseline."""

    model: SolvedModel
    task: Task
    config: TrainingConfig

    def judge(self, part: Examples) -> Iterable[Answers]:
        device = device_for(self.config.device)
        model = self.model.to(device)  # where the network is that it may be a part of
        for outputs, batch in outputs_over(model, self.task, part, self.config, device):
            yield self.task.judge(outputs, batch)


@dataclass(frozen=True, slots=True)
class Rivals:
    """What was fitted on the training split, in seconds.

    Attributes:
        fitted: name in tables -> what can be judged.
        solved: name of the member -> solved model.
        on_valid: name in tables -> the metrics on the validation split; empty without one.
    """

    fitted: dict[str, Judge] = field(default_factory=dict)
    solved: dict[str, SolvedModel] = field(default_factory=dict)
    on_valid: dict[str, dict[str, float]] = field(default_factory=dict)

    def solved_by(self, name: str, task: Task) -> SolvedModel:
        """The solved model called ``name``.

        Raises:
            UsageError: there is none, or it cannot answer ``task`` on this data.
        """
        SOLVED.get(name)  # refuses an unknown name
        if name not in self.solved:
            raise UsageError(f"the solved model {name!r} cannot answer the task {task.name!r} on this data")
        return self.solved[name]

    def say(self, measure: str) -> str:
        """The best of them in a line; empty if none has the measure."""
        able = {name: row for name, row in self.on_valid.items() if measure in row}
        best = list(best_first(able, measure).items())[:_SAID]
        return f"to beat: {', '.join(f'{name} {row[measure]:.4g}' for name, row in best)} ({measure})" if best else ""


def rivals_of(
    config: RunConfig,
    task: Task,
    train: Examples,
    judged: Mapping[str, Examples],
    names: Collection[str] | None = None,
    seconds: float | None = None,
) -> Rivals:
    """Fit the baselines and solve the solved models; nothing if no split is held out, and none of them is asked for.

    Args:
        config: of the run.
        task: what is asked.
        train: the split that they are fitted on.
        judged: the splits that are held out.
        names: the solved models; ``None``: all that can answer the task.
        seconds: after which only those are begun that the user asked for, or that are solved at once.
    """
    if not judged and not config.model.solved:
        return Rivals()
    own: Own = config.training.own
    fitted: dict[str, Judge] = {**fit_baselines(train, own)}
    solved = solved_of(config, task, train, names, seconds)
    if missing := {*config.model.solved} - {*solved}:
        solved |= solved_of(config, task, train, missing)
    for model in solved.values():
        fitted[model.name] = _Solved(model, task, config.training)
    on_valid = score_baselines(fitted, judged["valid"], own) if "valid" in judged else {}
    return Rivals(fitted, solved, on_valid)


def rivals_in_time(
    folder: Path, config: RunConfig, task: Task, train: Examples, judged: Mapping[str, Examples], say: Say
) -> Rivals:
    """`rivals_of` for at most a tenth of a budget in time, and those same ones when the run is resumed.

    Args:
        folder: the run directory, which receives the names of those that were solved: the clock is read once.
        config, task, train, judged: as for `rivals_of`.
        say: receives a line about those that were left out.
    """
    budget, kept = Budget(config.training).seconds, folder / SOLVED_IN_TIME
    if kept.is_file():
        return rivals_of(config, task, train, judged, json.loads(kept.read_bytes()))
    found = rivals_of(config, task, train, judged, seconds=None if budget is None else _SHARE * budget)
    write_file(kept, json.dumps([*found.solved]).encode())
    able = [name for name, member in SOLVED.members().items() if member.applies(task, train)] if found.fitted else []
    if left := [SOLVED.get(name).name for name in able if name not in found.solved]:
        say(f"left out, because a tenth of the budget was spent on what can be solved: {', '.join(left)}")
    return found


def solved_of(
    config: RunConfig,
    task: Task,
    train: Examples,
    names: Collection[str] | None = None,
    seconds: float | None = None,
) -> dict[str, SolvedModel]:
    """Solve the solved models: name of the member -> model.

    Args:
        config: of the run; what the user chose for them is kept, sizes that were chosen for other data are not.
        task: what is asked.
        train: the split that they are solved on.
        names: only these; ``None``: all that can answer the task.
        seconds: after which none is begun that takes long.
    """
    own = {key: {n: v for n, v in of.items() if n in config.asked} for key, of in config.model.own.items()}
    found = solve_all(task, train, own, config.training.seed, names, seconds)
    for model in found.values():
        model.eval()
    return found
