"""The race: a few alternatives are trained for a tenth of the budget, and the rest goes to the best of them.

Each has the same time, and its own folder of checkpoints; the winner's is the beginning of its training. An alternative
has to be better after the same steps too: one that takes many quick steps may have learned all that it can when a slow
one has only begun. The clock is read once, when the steps of each are written down, so that a run that is killed in its
race continues it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unrolled.data.examples.portions import grouped
from unrolled.errors import Interrupted
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import Programs, programs, summed, values
from unrolled.planning.choice import RACE, Choice
from unrolled.runs.choosing import Pace, alternatives, facts_of, in_words, with_choices
from unrolled.runs.config import RunConfig
from unrolled.runs.encode import Encoded
from unrolled.runs.on_ranks import agreed
from unrolled.runs.plan import Say
from unrolled.storage.directories import write_file
from unrolled.training import checkpoint
from unrolled.training.evaluate import sums_over
from unrolled.training.hooks import LOG, log_to
from unrolled.training.schedule import Budget
from unrolled.training.together import ALONE, Together
from unrolled.training.trainer import Trainer

__all__ = ["raced"]

_SHARE, _LONGEST = 0.1, 60.0  # of the budget, and seconds of each
_LEAST_STEPS = 120  # fewer are spent while the learning rate warms up, and tell nothing
_LEAST_PASSES = 5  # over the training data: fewer tell who begins fastest, not who learns most
_LEAST_ANSWERS = 200  # fewer of them cannot tell the contestants apart
_ROUND = 20  # steps

Make = Callable[[RunConfig, Path], Trainer]


@dataclass(frozen=True, slots=True)
class _Contestant:
    """What it has in place of the rules' choice, its configuration, and its steps."""

    values: dict[str, Any]
    config: RunConfig
    steps: int


def raced(
    folder: Path,
    config: RunConfig,
    encoded: Encoded,
    make: Make,
    device: str,
    say: Say,
    together: Together = ALONE,
) -> RunConfig:
    """The configuration with the winner's choices; its checkpoint is then the newest one of the run.

    Without a budget in minutes, or where the contestants could not be told apart, it is ``config`` as it was; also for
    models that are too large for one rank.

    Args:
        folder: the run directory.
        config: what the rules chose.
        encoded: the splits.
        make: a trainer from a configuration and its folder of checkpoints.
        device: the device of the networks.
        say: receives lines about the contestants.
        together: the ranks, which train each contestant together; the leader decides.

    Raises:
        Interrupted: a signal arrived; the contestant that was trained has a checkpoint.
    """
    place, valid = folder / "race", encoded.judged.get("valid")
    if valid is None or config.training.plan != RACE or config.training.shard_weights:
        return config

    def begun() -> bytes:
        if (place / "won.json").is_file():
            return b"null"
        known = checkpoint.newest_place(folder / "checkpoints") is not None
        found = [] if known else _contestants(place, config, encoded)
        if found:
            place.mkdir(exist_ok=True)
            write_file(place / "steps.json", json.dumps([one.steps for one in found]).encode())
        return json.dumps([[one.values, one.steps] for one in found]).encode()

    if (asked := json.loads(together.led(begun))) is None:
        return agreed(together, lambda: _end(folder, place, config, say))
    if not asked:
        return config
    writes = encoded.train.form.writes
    contestants = [_Contestant(values_, with_choices(config, values_, writes), steps) for values_, steps in asked]
    groups, least = grouped(valid).parts, min(one.steps for one in contestants)
    early, late = [], []
    for number, one in enumerate(contestants):
        trainer, found = make(one.config, place / str(number)), []
        saved = trainer.checkpoints.newest()
        if saved is not None and saved.step <= least:  # later ones have lost what it was after these steps
            trainer.restore(saved)
        else:
            saved = None
            shutil.rmtree(place / str(number), ignore_errors=True)
        trainer.hooks = (log_to(_log(place, number), saved.step if saved else -1),)
        for until in dict.fromkeys((least, one.steps)):
            # Fewer than planned if the clock ends the whole training before.
            contestants[number] = replace(one, steps=_run(trainer, until, folder))
            with trainer.averaged():
                task, training = encoded.measured.task, one.config.training
                found.append(
                    [sums_over(trainer.network, task, part, training, device, together=together) for part in groups]
                )
        early.append(found[0])
        late.append(found[-1])
    winner, told = _winner(encoded.measured.task.watch, early, late, contestants)
    for line in told:
        say(f"race: {line}")
    won = {"number": winner, "values": contestants[winner].values, "reason": "; ".join(told)}

    def end() -> RunConfig:
        write_file(place / "won.json", json.dumps(won).encode())
        return _end(folder, place, config, say)

    return agreed(together, end)


def _log(place: Path, number: int) -> Path:
    """Where a contestant's events go; those of the winner are the beginning of the run's."""
    return place / f"{number}.jsonl"


def _run(trainer: Trainer, until: int, folder: Path) -> int:
    """Train until step ``until``; the step that was reached."""
    try:
        return trainer.run(until=until).step
    except Interrupted as error:
        number_of = error.exit_code - 128
        raise Interrupted(
            f"stopped in the race of the first steps; resume with: unrolled fit --resume {folder}", number_of
        ) from None


def _contestants(place: Path, config: RunConfig, encoded: Encoded) -> list[_Contestant]:
    """The rules' choice and its alternatives; none if there is nothing to race for."""
    seconds, form = Budget(config.training).seconds, encoded.train.form
    held = facts_of(encoded.train, encoded.splits.valid, 1)
    if seconds is None or form.writes or held.held_out < _LEAST_ANSWERS:
        return []
    others = alternatives(config, held)
    pace = Pace(config, encoded.measured.task.coder, encoded.train)
    each = min(_LONGEST, _SHARE * seconds) / (1 + len(others))
    known = json.loads((place / "steps.json").read_bytes()) if (place / "steps.json").is_file() else []
    found = []
    for number, values_ in enumerate([{}, *others]):
        other = with_choices(config, values_, form.writes)
        steps = known[number] if number < len(known) else int(each / pace.seconds(other)) // _ROUND * _ROUND
        if steps < max(_LEAST_STEPS, _LEAST_PASSES * pace.batches(other)):
            return []
        found.append(_Contestant(values_, other, steps))
    return found if others else []


def _winner(
    measure: str, early: list[list[Sums]], late: list[list[Sums]], contestants: list[_Contestant]
) -> tuple[int, list[str]]:
    """The number of the winner, and a line about each: the planned one, unless another is better by its error.

    Args:
        measure: the metric.
        early, late: the sums of each contestant after the same steps, and after the same time, for each group.
        contestants: the planned one first.
    """
    known = programs(contestants[0].config.training.own)
    scores = [values(summed(groups), known)[measure] for groups in late]
    best, lines = 0, []
    for number, (one, score) in enumerate(zip(contestants, scores, strict=True)):
        gains = [_gain(measure, sums[number], sums[0], known) for sums in (early, late)]
        surely = all(gain > error for gain, error in gains)
        if number and surely and cost(measure, score) < cost(measure, scores[best]):
            best = number
        spread = f" ± {gains[1][1]:.2g}" if number else ""
        lines.append(f"{in_words(one.values)}: {measure} {score:.4g}{spread} after {one.steps} steps")
    return best, lines


def _gain(measure: str, ours: list[Sums], theirs: list[Sums], known: Programs) -> tuple[float, float]:
    """By how much the first are better, and its standard error."""
    costs = [cost(measure, values(summed(groups), known)[measure]) for groups in (theirs, ours)]
    return costs[0] - costs[1], standard_error(measure, redrawn(ours, known), redrawn(theirs, known))


def _end(folder: Path, place: Path, config: RunConfig, say: Say) -> RunConfig:
    """Take over what the winner has, and its checkpoints; done again, it changes nothing."""
    won = json.loads((place / "won.json").read_bytes())
    if not any(choice.source == "race" for choice in config.plan):
        config = with_choices(config, won["values"], writes=False)
        kept = tuple(choice for choice in config.plan if choice.field not in won["values"])
        new = [Choice(field=n, value=v, source="race", reason=won["reason"]) for n, v in won["values"].items()]
        planned = Choice(field="plan", value=RACE, source="race", reason=won["reason"])
        config = config.model_copy(update={"plan": (*kept, *(new or [planned]))})
        for choice in new:
            say(f"plan: {choice.field} {choice.value} (it won the race)")
        write_file(folder / "config.json", config.model_dump_json(indent=1).encode())
    if (place / str(won["number"])).is_dir():
        if _log(place, won["number"]).exists():  # not if it was moved before the run was killed
            _log(place, won["number"]).replace(folder / LOG)
        (place / str(won["number"])).rename(folder / "checkpoints")
    shutil.rmtree(place)
    return config
