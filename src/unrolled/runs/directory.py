"""The run directory: created for a new run, restored if that fails early, checked when a run is resumed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unrolled.config import Part, PartOfRun
from unrolled.data.io.folder import name_of
from unrolled.errors import DataError, UsageError, named
from unrolled.registry import Registry
from unrolled.runs.config import NEEDED, RunConfig
from unrolled.runs.options import declared_of, given, of_part
from unrolled.storage.atomic import beside, discard, set_aside, sweep
from unrolled.storage.directories import space_errors, write_file

__all__ = ["alone", "choose", "claimed", "is_trained", "keep_options"]

_TRIES, _PAUSE = 3, 0.02  # seconds


def choose(out: Path | None, source: str, overwrite: bool) -> Path:
    """The run directory: ``out``, which must be new, or the next free ``runs/<name>-<n>``.

    Raises:
        UsageError: ``out`` exists and may not be replaced.
    """
    if out is None:
        stem = "stdin" if source == "-" else name_of(source) or "run"
        taken = {path.name for path in Path("runs").glob(f"{stem}-*")}
        number = next(n for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
        return Path("runs") / f"{stem}-{number}"
    if out.is_dir():
        sweep(out, "config.json")  # a run killed at its birth leaves no more than this
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not overwrite:
            raise UsageError(
                f"{out} exists already: continue it with {named('resume')}, replace it with {named('overwrite')}, or "
                f"choose another {named('out')}"
            )
        if not (out / "config.json").is_file():
            raise UsageError(
                f"{out} is not a run, so {named('overwrite')} does not remove it: choose another {named('out')}"
            )
    return out


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every other process from training in ``folder``, for as long as the block runs or the process lives.

    Raises:
        UsageError: another process is training there.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            _lock(descriptor)
        except BlockingIOError:
            raise _busy(folder) from None
        yield
    finally:
        os.close(descriptor)


def _busy(folder: Path) -> UsageError:
    return UsageError(f"{folder} is being trained by another process: wait for it, or stop it")


def _lock(descriptor: int) -> None:
    for left in reversed(range(_TRIES)):  # `is_trained` holds the lock for a moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE)


def is_trained(folder: Path) -> bool:
    """Whether a process is training in ``folder`` at this moment."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def claimed(folder: Path, config: RunConfig) -> Iterator[None]:
    """Create ``folder`` with its ``config.json``, for a run that starts inside the block.

    An existing run is set aside until the new one ends, and is restored if the new one fails before it has saved
    a checkpoint. Without an existing run, a new one that fails because of its data or options leaves nothing behind.

    Raises:
        SpaceError: there is no space, or no permission to write.
    """
    with space_errors(folder), alone(folder) if folder.is_dir() else contextlib.nullcontext():
        sweep(folder.parent, folder.name)
        old = set_aside(folder) if folder.is_dir() else None
    with contextlib.ExitStack() as lock:
        try:
            with space_errors(folder):
                _begin(folder, config, lock)
        except BaseException:
            if old is not None and not folder.exists():
                old.rename(folder)
            raise
        try:
            yield
        except BaseException as error:
            begun = any((folder / "checkpoints").glob("step-*"))
            if not begun and (old is not None or isinstance(error, DataError | UsageError)):
                discard(folder)
                if old is not None:
                    old.rename(folder)
            elif old is not None:
                discard(old)
            raise
        if old is not None:
            discard(old)


def _begin(folder: Path, config: RunConfig, lock: contextlib.ExitStack) -> None:
    """Create ``folder`` under a hidden name, and let it appear when it is locked: nobody sees it without an owner."""
    new = beside(folder)
    try:
        new.mkdir(parents=True)
        lock.enter_context(alone(new))
        write_file(new / "config.json", config.model_dump_json(indent=1).encode())
        try:
            new.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise _busy(folder) from None
    except BaseException:
        discard(new)
        raise


def keep_options(folder: Path, config: RunConfig, options: dict[str, Any]) -> None:
    """Check that ``options`` are those that the run in ``folder`` was started with.

    Raises:
        UsageError: one differs; the message names it.
    """
    asked = given(options)
    for part in ("data", "task", "model", "training"):
        config_part: PartOfRun = getattr(config, part)
        _keep(folder, config_part, of_part(asked, part))
        for key in config_part.own:
            kind, _, name = key.partition(".")
            if kind not in NEEDED and name not in Registry(kind):
                continue
            own: Part = config_part.of(kind, name)
            options = declared_of(key, own.model_dump())
            _keep(folder, own, {option: value for option, value in asked.items() if option in options})


def _keep(folder: Path, began: Part, values: dict[str, Any]) -> None:
    asked = type(began).check({**began.model_dump(), **values})
    for name in values:
        if getattr(asked, name) != getattr(began, name):
            raise UsageError(
                f"{folder} was started with {name} = {getattr(began, name)!r}, not {getattr(asked, name)!r}: a resumed "
                "run keeps its options, so leave this one out, or start a new run"
            )
