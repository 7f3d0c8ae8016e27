"""Which runs can be compared, and on which data: a split that they share, or a file that none was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.runs.config import RunConfig
from unrolled.runs.held_out import held_out_again
from unrolled.runs.trained import Trained

__all__ = ["Shared", "check_comparable", "shared_data"]

Runs = Mapping[str, Trained]


class Shared(NamedTuple):
    """The data on which runs are compared.

    Attributes:
        name: ``test``, ``valid``, or the name of a file.
        parts: run -> the data as the run reads it; all have the same rows.
        notes: what the user should know about it.
    """

    name: str
    parts: dict[str, Sequences]
    notes: tuple[str, ...] = ()


def check_comparable(runs: Runs) -> None:
    """Refuse runs that answer different questions.

    Raises:
        UsageError: there are fewer than two runs, or their tasks, targets or horizons differ.
    """
    if len(runs) < 2:
        raise UsageError(f"compare needs at least two runs, got {len(runs)}")
    for (one, first), (other, second) in pairwise(runs.items()):
        for what, a, b in zip(("task", "target", "horizon"), _asks(first), _asks(second), strict=True):
            if a != b:
                raise UsageError(
                    f"{one} and {other} cannot be compared: the {what} of the first is {a!r}, that of the second {b!r}"
                )


def shared_data(runs: Runs, data: Any) -> Shared:
    """``data`` if it is given, else the test split if the runs have the same, else their validation split.

    Raises:
        UsageError: the runs have no split in common, one has learned from it, or they read different rows of ``data``.
        DataError: ``data`` or the source of a run cannot be read, or the source has changed.
    """
    if data is not None:
        parts = {name: trained.read(data) for name, trained in runs.items()}
        for (one, first), (other, second) in pairwise(parts.items()):
            if len(first) != len(second):
                raise UsageError(
                    f"{one} reads {len(first)} rows from {first.origin}, {other} {len(second)}: runs can only be "
                    "compared if they read data in the same way"
                )
        return Shared(str(next(iter(parts.values())).origin), parts, tuple(_trained_on(runs, data)))
    _check_same_source(runs)
    splits = _splits(runs)
    for name in ("test", "valid"):
        parts = {run: found[name] for run, found in splits.items() if name in found}
        if len(parts) == len(runs) and all(_same(runs, a, b) for a, b in pairwise(parts.items())):
            if name == "valid":
                _check_unlearned(runs)
            return Shared(name, parts, (_CHOSEN,) if name == "valid" else ())
    raise UsageError(_why_none(runs, splits))


_CHOSEN = "The weights were chosen on this validation split, so all figures are somewhat better than on new data."


def _check_unlearned(runs: Runs) -> None:
    """Refuse the validation split if a run has learned from it while its learning rate fell."""
    for name, trained in runs.items():
        if (steps := trained.findings.refit) is not None:
            how = f", in its last {steps} steps" if steps else ""
            raise UsageError(
                f"{name} learned from its validation data too{how}, so that is no test of it: "
                f"train with {named('test')} or with {named('refit')} no, or give a file that none was trained on with "
                f"{named('data')}"
            )


def _asks(trained: Trained) -> tuple[str, str, int]:
    coder = trained.task.coder
    return trained.task.name, ", ".join(coder.joined or (coder.target,)), coder.horizon


def _check_same_source(runs: Runs) -> None:
    """Refuse runs that were trained on different data; one that was trained in memory is refused later."""
    trained = {name: one.config.files.get("training", {}) for name, one in runs.items()}
    for (one, first), (other, second) in pairwise(trained.items()):
        if first.get("sha256") != second.get("sha256"):
            raise UsageError(
                f"{one} and {other} were trained on different data, {first.get('path')} and {second.get('path')}: give "
                f"a file that neither was trained on with {named('data')}"
            )


def _splits(runs: Runs) -> dict[str, dict[str, Sequences]]:
    """Run -> its held-out splits; runs that were split in the same way share one reading."""
    known: dict[str, dict[str, Sequences]] = {}
    found = {}
    for name, trained in runs.items():
        config = trained.config
        how = f"{config.source} {config.data.model_dump_json()} {config.task.model_dump_json()} {config.training.seed}"
        if how not in known:
            known[how] = held_out_again(config, name, f"give held-out data with {named('data')}")
        found[name] = known[how]
    return found


def _same(runs: Runs, one: tuple[str, Sequences], other: tuple[str, Sequences]) -> bool:
    """Whether two parts of the same data have the same rows and the same targets."""
    (first, a), (_, b) = one, other
    if a is b:
        return True
    coder = runs[first].task.coder
    same_rows = len(a) == len(b) and np.array_equal(_rows(a), _rows(b)) and np.array_equal(_open(a), _open(b))
    return same_rows and all(a.column(name).equals(b.column(name)) for name in coder.joined or (coder.target,))


def _rows(part: Sequences) -> np.ndarray:
    return np.arange(len(part)) if part.rows is None else part.rows


def _open(part: Sequences) -> np.ndarray:
    return np.zeros(len(part), np.int64) if part.first is None else part.first


def _why_none(runs: Runs, splits: Mapping[str, Mapping[str, Sequences]]) -> str:
    new = f"give a file that none was trained on with {named('data')}"
    bare = [name for name, found in splits.items() if not found]
    if bare:
        return f"{bare[0]} held nothing out, so there is no split to compare it on: {new}"
    first, *others = runs
    for other in others:
        for option, value in _division(runs[first].config).items():
            theirs = _division(runs[other].config)[option]
            if value != theirs:
                said = f"{named(option)} is {_shown(value)} in one and {_shown(theirs)} in the other"
                return f"{first} and {other} were made from different splits, because {said}: {new}"
    return f"{first} and {others[0]} were made from different splits: {new}"


def _division(config: RunConfig) -> Mapping[str, object]:
    """The options that decide which rows are held out."""
    data = config.data
    chosen = {"test": data.test, "valid": data.valid, "by": data.by, "order": data.order, "gap": data.gap}
    return {**chosen, "seed": config.training.seed}


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)


def _trained_on(runs: Runs, data: Any) -> list[str]:
    """A note if one of the runs was trained on the file."""
    if not isinstance(data, str | Path):
        return []
    place = Path(data).absolute()
    paths = {name: str(one.config.files.get("training", {}).get("path", "")) for name, one in runs.items()}
    seen = [name for name, path in paths.items() if path and Path(path).absolute() == place]
    return [f"{', '.join(seen)} trained on {data}, so the figures are better than on new data."] if seen else []
