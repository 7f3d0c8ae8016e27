"""The held-out parts of a finished run, cut again from the data that it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unrolled.data.examples.roles import Roles
from unrolled.data.io.fingerprint import MEMORY, fingerprint
from unrolled.data.tables.joined import joined
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.runs.config import RunConfig
from unrolled.runs.question import as_read
from unrolled.runs.splits import Splits, split_up
from unrolled.tasks.task import TASKS, Question, Task

__all__ = ["held_out_again", "splits_again", "with_earlier"]

_SOURCES = ("training", "validation", "test")  # roles of the files that the splits are cut from


def held_out_again(config: RunConfig, run: str, instead: str) -> dict[str, Sequences]:
    """The splits of a run that were not trained on, by their names: ``valid``, ``test``.

    Args:
        config, run, instead: as for `splits_again`.

    Raises:
        UsageError: its data was in memory.
        DataError: its data is gone or has changed.
    """
    return splits_again(config, run, instead).held_out()


def splits_again(config: RunConfig, run: str, instead: str) -> Splits:
    """The splits of a run, with those of the runs that it went on from.

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
    own = split_up(sequences, config, roles, lambda _: None)
    if (before := config.training.more) is None:
        return own
    try:
        content = (Path(before) / "config.json").read_bytes()
    except OSError:
        gone = f"{run} went on from this run, which cannot be read any more, so the splits before it are unknown"
        raise DataError(gone, file=before, hint=f"put it back, or {instead}") from None
    return with_earlier(own, splits_again(RunConfig.parse(content, before), before, instead))


def with_earlier(new: Splits, earlier: Splits) -> Splits:
    """The splits of new data with those of the data before: the new rows come first."""
    train = joined([new.train, earlier.train])
    old, came = earlier.valid, new.valid
    parts = [part for part in (came, old) if part is not None]
    valid = joined(parts) if parts else None
    apart = {"valid_new": came, "valid_old": old} if came is not None and old is not None else {}
    notes = (
        *new.notes,
        f"train: {len(earlier.train)} rows of the data before",
        *((f"valid: {len(old)} rows of the data before",) if old is not None else ()),
    )
    return Splits(train, valid, new.test, notes, None, new.by_time, len(new.train), apart)


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
