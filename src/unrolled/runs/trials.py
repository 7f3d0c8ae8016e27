"""Trials over one folder: each is a run with its own options, and a lock says which worker trains it.

Several workers, on one machine or on many that share the folder, go over the same trials. One takes those that nobody
else is training, resumes what a dead one left, and waits for the rest; so each trial is trained once, and every worker
ends with all of them.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, Unpack

from unrolled.errors import TrainingError, UsageError, named
from unrolled.runs.fit import fit
from unrolled.runs.keywords import Keywords
from unrolled.runs.options import listed
from unrolled.runs.plan import Say
from unrolled.runs.progress import Progress
from unrolled.runs.trained import Trained
from unrolled.storage.atomic import WITHOUT_LOCKS
from unrolled.storage.directories import space_errors
from unrolled.training.joining import join

__all__ = ["PREPARED", "Trials", "train_trials", "trials", "trials_of"]

PREPARED = ".prepared"  # what the trials of a folder share, unless another cache is named
_CLAIMS = ".claims"
_PAUSE = 1.0  # seconds between two looks at the trials of others


@dataclass(frozen=True, slots=True)
class Trials:
    """What became of the trials of a folder.

    Attributes:
        trained: name -> its model, in the order of the trials. The name is that of the run directory.
        failed: name -> why its training could not continue.
    """

    trained: dict[str, Trained] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def trials(
    source: Any,
    tried: Mapping[str, Sequence[Any]],
    *,
    out: str | Path,
    cache: str | Path | None = None,
    say: Say | None = None,
    quiet: bool = False,
    **options: Unpack[Keywords],
) -> Trials:
    """Train a model for each combination of the options ``tried``, once over all workers that share the folder ``out``.

    Each trial is a run directory in ``out``. Several processes, on one machine or on many, may call this with the same
    arguments: each trains what no other does, resumes what a dead one left, and returns when all trials have ended. A
    trial whose training diverges is not tried again, until its file in ``out/.claims`` is removed.

    Args:
        source: a file, a folder, or a table in memory.
        tried: option -> the values to try.
        out: the folder of the trials.
        cache: a folder that keeps the data prepared. Default: ``out/.prepared``, which all trials share.
        say: a function that receives a line for each thing inferred or done. Default: print it and progress to stderr.
        quiet: without ``say``, print nothing.
        options: every option of `fit` that all trials have.

    Returns:
        the trained model of each trial, and why others failed.

    Raises:
        UsageError: an option is given twice or has no values, or this is a rank of a training with several.
        DataError, SpaceError, Interrupted: as `fit`; other workers go on.

    Example:
        >>> found = trials("reviews.csv", {"model": ["lstm", "gru"], "seed": [0, 1]}, out="runs/two")  # doctest: +SKIP
        >>> print(compare(list(found.trained.values())))  # doctest: +SKIP
    """
    together, place = join(), Path(out)
    if not together.alone:
        raise UsageError("each trial is trained by one process: start the workers one by one, without torchrun")
    common = listed(options)
    with nullcontext() if say is not None else Progress(quiet=quiet) as bar:
        tell, hooks = (bar.say, (bar.hook,)) if bar is not None else (say or (lambda _: None), ())

        def train(folder: Path, own: dict[str, Any]) -> Trained:
            values = listed({**common, **own})
            kept = cache or place / PREPARED
            return fit(source, values, out=folder, go_on=True, cache=kept, page=True, hooks=hooks, say=tell)

        return train_trials(place, trials_of(tried, common), train, tell)


def trials_of(tried: Mapping[str, Sequence[Any]], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The name of each trial -> the options that only this one has: every combination of the values ``tried``.

    Args:
        tried: option -> the values to try.
        options: those that all trials have.

    Raises:
        UsageError: nothing is tried, an option is given twice, or two trials would have the same name.

    Example:
        >>> list(trials_of({"model": ["lstm", "gru"], "seed": [0]}, {}))
        ['model-lstm_seed-0', 'model-gru_seed-0']
    """
    for name, values in tried.items():
        if isinstance(values, str) or not len(values):
            raise UsageError(f"{named('tried')} {name}: expected a list of values, got {values!r}")
        if name in options:
            raise UsageError(f"{named(name)} is given for all trials and tried too: leave one out")
    if not tried:
        raise UsageError(f"nothing is tried: name options and their values with {named('tried')}")
    found: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*tried.values()):
        own = dict(zip(tried, values, strict=True))
        name = "_".join(re.sub(r"[^\w.-]+", "-", f"{option}-{value}") for option, value in own.items())
        if name in found:
            raise UsageError(f"two trials would be written to {name}: give each value once")
        found[name] = own
    return found


def train_trials(
    out: Path, trials: Mapping[str, dict[str, Any]], train: Callable[[Path, dict[str, Any]], Trained], say: Say
) -> Trials:
    """Train all ``trials`` that no other worker trains, and wait for the others.

    Args:
        out: the folder of the trials, which all workers share.
        trials: the name of each -> its own options.
        train: begins the run in a folder with such options, resumes it, or loads it if it is finished.
        say: receives lines about what is done.

    Raises:
        UsageError: the file system has no locks; or as ``train`` does. The other trials are left to other workers.
    """
    found, told = Trials(), False
    while left := [name for name in trials if name not in found.trained and name not in found.failed]:
        taken = [name for name in left if _tried(out, name, trials[name], train, say, found)]
        if len(taken) < len(left) and not taken:
            if not told:
                say(f"waiting for other workers: {', '.join(left)}")
                told = True
            time.sleep(_PAUSE)
    order = {name: found.trained[name] for name in trials if name in found.trained}
    return Trials(order, found.failed)


def _tried(
    out: Path,
    name: str,
    own: dict[str, Any],
    train: Callable[[Path, dict[str, Any]], Trained],
    say: Say,
    found: Trials,
) -> bool:
    """Train the trial ``name``; False if another worker does."""
    with _claimed(out, name) as claim:
        if claim is None:
            return False
        if reason := claim.read():
            found.failed[name] = reason
            return True
        say(f"trial: {name}")
        try:
            found.trained[name] = train(out / name, own)
        except TrainingError as error:  # no other worker has to find out
            found.failed[name] = str(error)
            claim.write(str(error))
    return True


@contextmanager
def _claimed(out: Path, name: str) -> Iterator[TextIO | None]:
    """The file of a claim, which no other process holds inside the block; ``None`` if another one holds it.

    It is a file beside the run, not the run directory: NFS hands locks of files to its server, but not those of
    directories. The system releases the lock of a process that dies. The file stays, since a lock on one that was
    removed would keep nobody out.
    """
    with space_errors(out):
        (out / _CLAIMS).mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(out / _CLAIMS / name, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                raise UsageError(
                    f"the file system of {out} has no locks, without which two workers may train one trial: choose "
                    f"another {named('out')}"
                ) from None
            raise
        yield file
