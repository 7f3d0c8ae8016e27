"""The state of a training, from its run directory only: what it does now, how far it is, and what is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import ModelError
from unrolled.metrics.metric import cost, in_order
from unrolled.runs.advice import Course, about_gradients, about_training
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import is_trained
from unrolled.runs.training_log import TrainingLog, read_log
from unrolled.tasks.task import make_task
from unrolled.training.hooks import LOG
from unrolled.training.position import is_early
from unrolled.training.schedule import Budget

__all__ = ["TrainingState", "read_state", "stamp"]

Doing = Literal["preparing", "racing", "training", "evaluating", "finished", "stopped"]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """The state of the training of a run.

    Attributes:
        run: its directory.
        config: its options.
        doing: ``preparing`` the data, ``racing`` alternatives, ``training``, ``evaluating`` the splits once it is
            trained, ``finished``, or ``stopped`` before that.
        log: what was logged.
        loss: the metric of the validation that is the training loss; empty while the data is prepared.
        chooses: the metric that chooses the weights.
        verdicts: what is surely wrong, a sentence each, with what to do.
    """

    run: Path
    config: RunConfig
    doing: Doing
    log: TrainingLog
    loss: str
    chooses: str
    verdicts: tuple[str, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.doing in ("finished", "stopped")

    @property
    def share(self) -> float | None:
        """The share of its steps that were taken; ``None`` if their number is unknown."""
        return None if not self.log.total else min(1.0, self.log.step / self.log.total)

    @property
    def best(self) -> int | None:
        """Which validation was the best so far; ``None`` before the first."""
        values = self.log.valid.get(self.chooses, np.zeros(0))
        costs = np.array([cost(self.chooses, value) for value in values.tolist()])
        return int(np.nanargmin(costs)) if np.isfinite(costs).any() else None

    def validation(self, at: int) -> dict[str, float]:
        """The metrics of a validation, in the order of a table."""
        return in_order({name: float(values[at]) for name, values in self.log.valid.items()})

    @property
    def sentence(self) -> str:
        """What it does now."""
        budget = Budget(self.config.training).say()
        return {
            "preparing": "the data is being prepared",
            "racing": "alternatives race",
            "training": "training",
            "evaluating": "trained; its splits are being evaluated",
            "finished": "finished",
            "stopped": f"stopped before its end ({budget}); resume it with: unrolled fit --resume {self.run}",
        }[self.doing]

    def to_json(self) -> dict[str, Any]:
        """The last of everything, in names and numbers; what is not known is ``None``."""
        log, best = self.log, self.best
        looks = log.looks[-1:]
        return {
            "doing": self.doing,
            "step": log.step,
            "total": log.total,
            "seconds": log.spent,
            "left_seconds": None if self.over else log.left,
            "loss": _last(log.losses),
            "lr": _last(log.rates),
            "gradient_norm": _last(log.norms),
            "gradient_norms": {name: _last(values) for name, values in log.parts.items()},
            "clipped_share": _last(log.clipped),
            "skipped": log.skipped,
            "valid": {name: _last(values) for name, values in log.valid.items()},
            "best": None if best is None else {"step": int(log.validated[best]), **self.validation(best)},
            "phases": [phase._asdict() for phase in log.phases],
            "look": looks[0]._asdict() if looks else None,
            "verdicts": list(self.verdicts),
        }


def read_state(folder: Path) -> TrainingState:
    """The state of the training of the run in ``folder``, which may be going on in another process.

    Raises:
        ModelError: it is not a run, or its training was not logged.

    Cost: 2 ms, and 0.2 s for the log of a million steps; no weights are read.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such run directory")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is not a run: it has no config.json")
    config = RunConfig.parse((folder / "config.json").read_bytes(), str(folder))
    log = read_log(folder)
    doing = _doing(folder, log)
    if doing == "finished" and not len(log.steps) and not len(log.validated) and not log.results:
        raise ModelError(f"{folder} has no log of its training: it was saved without metrics.jsonl; fit it again")
    loss, chooses = _measures(folder, config)
    return TrainingState(folder, config, doing, log, loss, chooses, tuple(_verdicts(log, config, loss)))


def stamp(folder: Path) -> object:
    """Something that changes whenever the state does, at a hundredth of the cost of reading it; never ``None``."""
    if not folder.is_dir():
        return ()
    logs = {path.name: _size(path) for path in (folder / LOG, *(folder / "race").glob("*.jsonl"))}
    return logs, (folder / "manifest.json").is_file(), (folder / "race").is_dir(), is_trained(folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the log of a race is moved when that ends
        return -1


def _doing(folder: Path, log: TrainingLog) -> Doing:
    if (folder / "manifest.json").is_file():
        return "finished"
    if not is_trained(folder):
        return "stopped"
    if (folder / "race").is_dir():
        return "racing"
    if log.total is not None and log.step >= log.total:
        return "evaluating"
    return "training" if len(log.steps) or len(log.validated) else "preparing"


def _measures(folder: Path, config: RunConfig) -> tuple[str, str]:
    """The metrics that are the loss and that choose the weights; empty before the encodings are saved."""
    if not (folder / "encodings" / "coder.json").is_file():
        return "", ""
    files = {path.name: path.read_bytes() for path in (folder / "encodings").glob("*.json") if path.is_file()}
    try:
        task = make_task(config.task, Preprocessor.from_files(files))
    except (KeyError, ValueError, TypeError, AttributeError) as error:  # another file is being written, or damaged
        raise ModelError(f"{folder} is incomplete or damaged: {error!r}") from None
    return task.watch, task.chooses


def _verdicts(log: TrainingLog, config: RunConfig, loss: str) -> list[str]:
    if is_early(log.step, log.total) and not log.results:
        return []
    course = Course.of(log, loss, None, log.step)
    solved = config.model.origin is not None and course.flat  # what is solved may be the best from the start
    found = [] if solved else list(about_training(course, config.model, config.training))
    return [*found, *about_gradients(log, config.model, config.training)]


def _last(values: np.ndarray) -> float | None:
    found = float(values[-1]) if len(values) else math.nan
    return found if math.isfinite(found) else None
