"""The question that a run answers: its target, and the task that fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UnrolledError, UsageError, command, counted, named
from unrolled.layers.factory import model_names
from unrolled.runs.guess import guessed_target
from unrolled.tasks._horizon import example_horizon
from unrolled.tasks.task import TASKS, Question, Recognised, Task

__all__ = ["advice", "as_read", "assume", "default_target", "recognised_task", "size_of", "unused_columns"]


def recognised_task(question: Question, asked: str) -> tuple[str, str]:
    """The name of the task that fits the question, and the reason; ``asked`` is the task that the user chose, if any.

    Raises:
        UsageError: no task is called ``asked``, no task fits, or two fit equally well.
    """
    if asked:
        TASKS.get(asked)
        return asked, "as you chose"
    found: dict[str, Recognised] = {}
    failed: UnrolledError | None = None
    for name, task in TASKS.members().items():
        try:
            if (recognised := task.recognises(question)) is not None:
                found[name] = recognised
        except UnrolledError as error:  # only matters if no other task fits
            failed = failed or error
    if failed is not None and not found:
        raise _unanswered(question) if _needs_a_horizon(question) else failed
    best = max((recognised.confidence for recognised in found.values()), default=0)
    surest = [name for name, recognised in found.items() if recognised.confidence == best]
    if len(surest) > 1:
        raise UsageError(f"the tasks {' and '.join(surest)} fit equally well: choose one with {named('task')}")
    if surest:
        return surest[0], found[surest[0]].reason
    raise _unanswered(question)


def _unanswered(question: Question) -> UsageError:
    first, target = question.target[0], ", ".join(question.target)
    if _needs_a_horizon(question):
        sequences = question.sequences
        example = command(sequences.origin.name, {**question.asked, "horizon": example_horizon(sequences)})
        return UsageError(
            f"the target {target} has a number for each step: set {named('horizon')}, the number of steps to forecast, "
            f"such as: {example}"
        )
    return UsageError(
        f"no task fits the target {target} of kind {question.sequences.kinds[first]}: choose a {named('task')}, or "
        f"another kind for it with {named('kinds')}"
    )


def _needs_a_horizon(question: Question) -> bool:
    sequences = question.sequences
    traits = [sequences.traits(name) for name in question.target]
    numbers = all(one.measured and not one.whole for one in traits)
    return numbers and all(has_time(sequences.column(name).type) for name in question.target)


def as_read(data: DataConfig, task: type[Task] | None) -> DataConfig:
    """``data``, where a target that the task writes is text, even if all digits, unless the user says otherwise."""
    texts = dict.fromkeys(data.target, "tokens") if task is not None and task.writes_text else {}
    return data.model_copy(update={"kinds": {**texts, **data.kinds}})


def default_target(
    sequences: Sequences, data: DataConfig, task: type[Task] | None, asked: Mapping[str, Any]
) -> tuple[tuple[str, ...], str]:
    """The target that the user chose, or else a likely one and the reason; none where sequences are to be continued.

    Raises:
        UsageError: several columns are as likely.
    """
    continued = any(name in sequences.kinds and _goes_on(sequences, name) for name in data.inputs)
    if data.target or asked.get("horizon") or continued or (task is not None and task.continues):
        return data.target, ""
    label = sequences.labelled
    if label is not None and label not in data.inputs:
        return (label,), "the folders that hold the files"
    left = {name: kind for name, kind in sequences.kinds.items() if name not in data.inputs}
    grouped = bool(data.by or data.order)
    guessed = guessed_target(replace(sequences, kinds=left), asked, grouped=grouped) if left else None
    return ((guessed[0],), guessed[1]) if guessed is not None else ((), "")


def _goes_on(sequences: Sequences, name: str) -> bool:
    return sequences.traits(name).text or has_time(sequences.column(name).type)


def assume(question: Question, tasks: Iterable[type[Task]], asked: dict[str, Any], say: Callable[[str], None]) -> None:
    """Add to ``asked`` what ``tasks`` assume where the user left it open, and say it."""
    for task in tasks:
        for name, value in task.assumes(question).items():
            asked[name] = value
            say(f"{name}: {value}, as the steps in time suggest; {named(name)} overrides it")


def size_of(sequences: Sequences) -> str:
    """How much data there is: rows, or series and their steps."""
    rows, steps = len(sequences), 0 if sequences.cadence is None else sequences.cadence.longest
    if not steps:
        return counted(rows, "row")
    return f"{rows} series of {'' if rows == 1 else 'up to '}{counted(steps, 'step')}"


def unused_columns(question: Question, roles: Roles) -> Iterator[str]:
    """A line about the columns that this run ignores, if the user did not choose the inputs."""
    used = {*roles.inputs, *roles.joined, roles.target}
    unused = [name for name in question.sequences.kinds if name not in used]
    if unused and not question.inputs:
        yield f"unused columns: {', '.join(unused)}; {named('inputs')} adds columns"


def advice(task: type[Task], model: str) -> Iterator[str]:
    """A line that suggests the bidirectional model, where the task may gain from it."""
    both = f"bi{model}"
    if task.backward_helps and both in model_names():
        yield f"model: {model} reads forward only, so it can stream; {task.backward_helps}, try {named('model')} {both}"
