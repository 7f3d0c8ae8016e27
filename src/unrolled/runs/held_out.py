"""The held-out parts of a finished run, cut again from the data that it was trained on."""

from __future__ import annotations

from dataclasses import replace

from unrolled.data.examples.roles import Roles
from unrolled.data.io.fingerprint import MEMORY, fingerprint
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.runs.config import RunConfig
from unrolled.runs.question import as_read
from unrolled.runs.splits import split_up
from unrolled.tasks.task import TASKS, Question, Task

__all__ = ["held_out_again"]

_SOURCES = ("training", "validation", "test")  # roles of the files that the splits are cut from


def held_out_again(config: RunConfig, run: str, instead: str) -> dict[str, Sequences]:
    """The splits of a run that were not trained on, by their names: ``valid``, ``test``.

    Args:
        config: the options of the run, with the fingerprints of its data.
        run: how messages name it.
        instead: what messages tell the user to do.

    Raises:
        UsageError: its data was in memory.
        DataError: its data is gone or has changed.
    """
    for role in _SOURCES:
        saved = config.files.get(role)
        if saved is None and role == "training":
            raise UsageError(f"{run} does not say what it was trained on, so its splits are unknown: {instead}")
        if saved is not None:
            _check_unchanged(saved, run, instead)
    task: type[Task] = TASKS.get(config.task.name)
    own = config.task.of("task", config.task.name).model_dump()
    reads = task.reads(own)
    sequences = read(config.source, as_read(config.data, task), reads.steps, reads.columns)
    roles: Roles = task.roles(Question(sequences, config.data.target, config.data.inputs, own))
    sequences = replace(sequences, kinds={**sequences.kinds, **roles.kinds})
    return split_up(sequences, config, roles, lambda _: None).held_out()


def _check_unchanged(saved: dict[str, str | int], run: str, instead: str) -> None:
    path = str(saved["path"])
    if path == MEMORY:
        raise UsageError(f"{run} was trained on data in memory, which its splits cannot be cut from again: {instead}")
    try:
        now = fingerprint(path)
    except DataError:
        gone = f"the data of {run} cannot be read any more, so its splits cannot be cut from it again"
        raise DataError(gone, file=path, hint=f"put it back, start in the folder where fit ran, or {instead}") from None
    if (now["size"], now["sha256"]) != (saved["size"], saved["sha256"]):
        changed = f"the data has changed since {run} was trained, so its splits cannot be cut from it again"
        raise DataError(changed, file=path, hint=f"put the old data back, or {instead}")
