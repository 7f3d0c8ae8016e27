"""What a run asks: the data is looked at, and its target and task are found where the user left them open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.examples.roles import Roles
from unrolled.data.io.fingerprint import fingerprint, fingerprint_table
from unrolled.data.tables.read import read
from unrolled.data.tables.same_again import said_of_the_same
from unrolled.errors import UsageError, named
from unrolled.runs.config import RunConfig
from unrolled.runs.options import of_part, reader_options
from unrolled.runs.prepared import Known
from unrolled.runs.question import as_read, assume, default_target, recognised_task, size_of, unused_columns
from unrolled.runs.splits import FileSplit, parse
from unrolled.runs.start import Start
from unrolled.tasks.task import TASKS, Question, Reads, Task
from unrolled.training.config import TrainingConfig

__all__ = ["is_file", "look", "look_again", "replay"]

Say = Callable[[str], None]


def look(
    source: Any, asked: dict[str, Any], training: TrainingConfig, start: Start | None, say: Say, head: int | None
) -> Known:
    """Read the source, and find out what is asked.

    Args:
        source: a path, or a table in memory.
        asked: the options that the user gave; it receives what the data suggests.
        training, start: the options of training, and the run that this one starts from.
        say: receives a line for each choice.
        head: of a large file, the bytes of its beginning that are read.

    Raises:
        UsageError, DataError: as `unrolled.runs.plan.plan_from_options`.
    """
    given, said = dict(asked), list[str]()

    def tell(line: str) -> None:
        said.append(line)
        say(line)

    question, data = _ask(source, asked, tell, head)
    task_name, reason = recognised_task(question, asked.get("task", ""))
    tell(f"task: {task_name} ({reason}); {named('task')} overrides it")
    task: type[Task] = TASKS.get(task_name)
    roles: Roles = task.roles(question)
    for line in unused_columns(question, roles):
        tell(line)
    if not question.inputs and roles.target not in roles.inputs:
        for line in said_of_the_same(question.sequences.table, roles.target, roles.inputs):
            tell(line)
    table, cadence = question.sequences.table, question.sequences.cadence
    return Known(
        question.sequences,
        data,
        task_name,
        roles,
        tuple(table.column_names),
        0.0 if cadence is None else cadence.size,
        cadence is not None and cadence.workdays,
        _fingerprints(source, data, training, start, table if head is None else source),
        {name: value for name, value in asked.items() if given.get(name) != value},
        tuple(said),
    )


def look_again(source: Any, config: RunConfig, head: int | None = None) -> Known:
    """Read the data of a stopped run as it was read before.

    Args:
        source: the data.
        config: of the run.
        head: as for `look`.
    """
    task: type[Task] = TASKS.get(config.task.name)
    own = config.task.of("task", config.task.name).model_dump()
    reads = task.reads(own)
    sequences = read(source, as_read(config.data, task), reads.steps, reads.columns, head=head)
    roles: Roles = task.roles(Question(sequences, config.data.target, config.data.inputs, own))
    about = (config.columns, config.step, config.workdays, config.files)
    return Known(sequences, config.data, config.task.name, roles, *about, {}, ())


def replay(known: Known, asked: dict[str, Any], say: Say) -> None:
    """Take what an earlier run found out, and tell it again."""
    asked.update(known.assumed)
    for line in known.said:
        say(line)


def is_file(source: Any) -> bool:
    """Whether ``source`` is the path of a file or a folder."""
    return isinstance(source, str | Path) and str(source) != "-"


def _ask(source: Any, asked: dict[str, Any], say: Say, head: int | None) -> tuple[Question, DataConfig]:
    """The question to answer, and the data options with its target."""
    data = DataConfig.check({**of_part(asked, "data"), "own": reader_options(asked)})
    task: type[Task] | None = TASKS.get(asked["task"]) if asked.get("task") else None
    reads = [one.reads(asked) for one in ([task] if task is not None else TASKS.members().values())]
    needs = Reads(any(one.steps for one in reads), tuple(name for one in reads for name in one.columns))
    find_steps = task is None or task.continues or not (task.pooled or task.writes_text)
    sequences = read(source, as_read(data, task), needs.steps, needs.columns, find_steps=find_steps, head=head)
    data = data.model_copy(update=dict(sequences.settled))
    kinds = ", ".join(f"{name} ({kind})" for name, kind in sequences.kinds.items())
    what = f"{sequences.origin}, {size_of(sequences)}" if head is None else f"the beginning of {sequences.origin}"
    say(f"read {what}: {kinds}; {named('kinds')} column=kind overrides")
    for line in sequences.notes:
        say(line)
    for name in ("header", "text_encoding", "separator", "decimal", "quote", "skip", "na_values"):
        if name in asked and not sequences.reader:
            raise UsageError(f"{named(name)} only works with files; this data is in memory")
    target, why = default_target(sequences, data, task, asked)
    if target != data.target:
        say(f"target: {target[0]} ({why}); {named('target')} overrides it")
        data = data.model_copy(update={"target": target})
    question = Question(sequences, data.target, data.inputs, asked)
    assume(question, [task] if task is not None else list(TASKS.members().values()), asked, say)
    return question, data


def _fingerprints(
    source: Any, data: DataConfig, training: TrainingConfig, start: Start | None, table: pa.Table
) -> dict[str, dict[str, str | int]]:
    begun = fingerprint(source) if is_file(source) else fingerprint_table(table)
    held_out = {"validation": parse(data.valid), "test": parse(data.test)}
    files = {role: how.path for role, how in held_out.items() if isinstance(how, FileSplit)}
    vectors = {} if training.vectors is None else {"vectors": training.vectors}
    found = {role: fingerprint(path) for role, path in {**files, **vectors}.items()}
    return {"training": begun, **found, **({} if start is None else {"start": start.fingerprint})}
