"""The splits of a run: for training, for choosing the weights, and for one evaluation at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.encoding import has_time
from unrolled.data.examples.roles import Roles
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.data.tables.split import hold_out_last, list_lengths
from unrolled.errors import DataError, Origin, UsageError, counted, named
from unrolled.runs.config import RunConfig
from unrolled.runs.question import as_read
from unrolled.tasks.task import TASKS, Task
from unrolled.training.schedule import Budget

__all__ = [
    "FileSplit",
    "LastStep",
    "Parted",
    "Share",
    "Splits",
    "check_long_enough",
    "default_share",
    "parse",
    "split_up",
    "without_validation",
]

_LAST = "last"  # the value of ``valid`` or ``test`` that holds out the last step of each sequence
_HELD_OUT = 0.1  # the share that is held out where ``valid`` is not given
_FEW, _FORECASTS, _MOST = 10, 3, 0.5  # of fewer series so many forecasts are held out, and at most such a share
_ENOUGH = 500_000  # steps to validate on: enough to tell 0.01 nats apart, and more would take minutes each time
_ANSWERS = 50_000  # to validate on, of whole rows: enough to tell half a percent apart

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts; ``valid`` chooses the weights, ``test`` is read once, at the end.

    Attributes:
        notes: how they were made, in words.
        whole: ``train`` and ``valid`` as they were before they were split; ``None`` if ``valid`` is a file or absent.
        by_time: whether ``valid`` is the end of each sequence, not some of the sequences.
        new: of a run that goes on with new data, how many rows of ``train`` are new, which come first.
        apart: of such a run, ``valid`` in two parts: the new rows and the old ones.
    """

    train: Sequences
    valid: Sequences | None
    test: Sequences | None
    notes: tuple[str, ...] = ()
    whole: Sequences | None = None
    by_time: bool = False
    new: int | None = None
    apart: dict[str, Sequences] = field(default_factory=dict)

    def held_out(self) -> dict[str, Sequences]:
        """The splits that are not trained on, by their names."""
        parts = {**self.apart, "valid": self.valid, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}


def split_up(sequences: Sequences, config: RunConfig, roles: Roles, say: Say) -> Splits:
    """Split as the user asked, by a file or a share; by default a tenth (less of very long data) is for validation.

    A share is of whole sequences at random, or of the end of each sequence where the future is predicted.

    Raises:
        DataError: there is too little data to split.
        UsageError: a share is out of range, nothing would end training, or nothing is held out that could be learned.
    """
    used = {*roles.inputs, *roles.joined, roles.target}  # other columns must not affect how rows are cut
    sequences = replace(sequences, kinds={name: kind for name, kind in sequences.kinds.items() if name in used})
    known, notes = _known(sequences, roles)
    if roles.form.horizon:
        main = sequences.column(roles.joined[0] if roles.joined else roles.target)
        check_long_enough(int(list_lengths(main).max(initial=0)), len(known), roles, sequences.origin)
    rest = parse(config.data.test).apply(known, "test", config, roles)
    how = _default_share(rest.left, roles) if config.data.valid is None else parse(config.data.valid)
    train = how.apply(rest.left, "valid", config, roles)
    notes = (*notes, *rest.notes, *train.notes)
    if train.held_out is None:
        notes = (*notes, without_validation(config))
    held_out = train.held_out is not None and not isinstance(how, FileSplit)
    if config.training.refit == "yes" and not held_out:
        raise UsageError(
            f"{named('refit')} yes only works with validation data that is held out of the training file: set "
            f"{named('valid')} to a share, such as 0.1"
        )
    for note in notes:
        say(note)
    by_time = held_out and len(train.left) == len(rest.left)
    return Splits(train.left, train.held_out, rest.held_out, notes, rest.left if held_out else None, by_time)


def parse(how: str | float | None) -> Share | FileSplit | LastStep:
    """How to hold out a split, from 0.1 or '0.1', 'last', or the path of a file; ``None`` holds out nothing.

    Raises:
        UsageError: the number is not a share.

    Example:
        >>> parse("0.1"), parse("last"), parse("later.csv")
        (Share(share=0.1), LastStep(), FileSplit(path='later.csv'))
    """
    if how == _LAST:
        return LastStep()
    try:
        share = float(0 if how is None else how)
    except ValueError:
        return FileSplit(str(how))
    if not 0 <= share < 1:
        raise UsageError(f"{how} is neither a share, at least 0 and below 1, nor a file")
    return Share(share)


class Parted(NamedTuple):
    """The data that is left, the part that was held out, if any, and notes about both."""

    left: Sequences
    held_out: Sequences | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """Holds out a share of the data, in the way that the form of the target needs; 0 holds out nothing."""

    share: float

    def apply(self, known: Sequences, role: str, config: RunConfig, roles: Roles) -> Parted:
        """Split ``known``; ``role`` is ``valid`` or ``test``."""
        if not self.share:
            return Parted(known, None)
        left, part, how = roles.form.hold_out(known, self.share, config.training.seed, roles.target)
        return Parted(left, part, (f"{role}: {how}",))


@dataclass(frozen=True, slots=True)
class FileSplit:
    """Takes the held-out part from a separate file, which is read like the training data."""

    path: str

    def apply(self, known: Sequences, role: str, config: RunConfig, roles: Roles) -> Parted:
        """Keep all of ``known``; the file is the held-out part."""
        timed = {name: has_time(known.column(name).type) for name in known.kinds}
        task: type[Task] = TASKS.get(config.task.name)
        reads = task.reads(config.task.of("task", config.task.name).model_dump())
        other = read(self.path, as_read(config.data, task), reads.steps, reads.columns, timed=timed)
        if not roles.form.continues:
            other, _ = drop_missing(other, roles.target)
        said = (f"{len(other)} rows of {self.path}", *other.remarks)
        return Parted(known, other, tuple(f"{role}: {line}" for line in said))


@dataclass(frozen=True, slots=True)
class LastStep:
    """Holds out the last step of each sequence; all steps before it are its history."""

    def check(self, role: str, config: RunConfig, roles: Roles) -> None:
        """Refuse a task that does not predict the next step of a sequence.

        Raises:
            UsageError: it does not.
        """
        if not roles.form.predicts_next:
            raise UsageError(
                f"{named(role)} = 'last' only works where the next step of a sequence is predicted; this run's task is "
                f"{config.task.name!r}"
            )

    def apply(self, known: Sequences, role: str, config: RunConfig, roles: Roles) -> Parted:
        """Split each sequence of ``known`` before its last step.

        Raises:
            UsageError: the task does not predict the next step of a sequence.
        """
        self.check(role, config, roles)
        left, part = hold_out_last(known)
        steps = pc.list_value_length(part.column(roles.joined[0] if roles.joined else roles.target))
        asked = pc.sum(pc.greater(steps, pa.array(part.first))).as_py()
        return Parted(left, part, (f"{role}: the last step of {asked} of {len(known)} sequences",))


def _known(sequences: Sequences, roles: Roles) -> tuple[Sequences, tuple[str, ...]]:
    """The rows that have a target, and how many do not."""
    if roles.form.continues:
        return sequences, ()
    known, missing = drop_missing(sequences, roles.target)
    left_out = f"{missing} of {len(sequences)} rows have no {roles.target} and are left out"
    return known, (left_out,) if missing else ()


def without_validation(config: RunConfig) -> str:
    """The note about a run that holds nothing out.

    Raises:
        UsageError: nothing would end its training.
    """
    if Budget(config.training).open_ended:
        raise UsageError(
            f"without validation data nothing ends training: set {named('steps')}, {named('epochs')} or "
            f"{named('minutes')}"
        )
    return "valid: nothing is held out, so the last weights are kept"


def check_long_enough(longest: int, rows: int, roles: Roles, origin: Origin) -> None:
    """Refuse a horizon that no series holds.

    Args:
        longest: the steps of the longest series.
        rows: the number of series.
        roles: which column plays which part.
        origin: how the error names the data.

    Raises:
        DataError: it is as long as the longest series.
    """
    horizon = roles.form.horizon
    if longest <= horizon:
        series = "the series has" if rows == 1 else f"the longest of {rows} series has"
        some = f"{named('horizon')} can be {(longest - 1) // 2} at most, or {longest - 1} with {named('valid')} 0"
        raise DataError(
            f"{series} {counted(longest, 'step')}, so it holds no forecast of {counted(horizon, 'step')}",
            file=origin,
            column=roles.joined[0] if roles.joined else roles.target,
            hint=some if longest > 2 else "give longer series",
        )


def _default_share(sequences: Sequences, roles: Roles) -> Share:
    if roles.form.whole:
        return default_share(roles, len(sequences), 0, 0)
    column = sequences.column(roles.joined[0] if roles.joined else roles.target)
    lengths = pc.list_value_length(column) if has_time(column.type) else pc.binary_length(column)
    return default_share(roles, len(sequences), pc.sum(lengths).as_py() or 0, pc.max(lengths).as_py() or 0)


def default_share(roles: Roles, rows: int, steps: int, longest: int) -> Share:
    """A tenth, or less of so much data that a smaller part is enough to validate on.

    Args:
        roles: which column plays which part.
        rows, steps, longest: the sequences, the steps of all of them, and of the longest.
    """
    if roles.form.whole:
        return Share(min(_HELD_OUT, _ANSWERS / max(rows, 1)))
    if roles.form.horizon and rows < _FEW:
        # A choice between forecasts that rests on one of them is chance: it takes some of a short series.
        return Share(round(min(max(_HELD_OUT, _FORECASTS * roles.form.horizon / max(longest, 1)), _MOST), 3))
    return Share(min(_HELD_OUT, _ENOUGH / max(steps, 1)))
