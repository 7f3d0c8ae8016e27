"""The splits of a run: what is trained on, what chooses the weights, and what is read once, at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.asked import as_read
from unrolled.config import RunConfig
from unrolled.data.encoded import has_time
from unrolled.data.examples import ANSWERED_WHOLE, OWN
from unrolled.data.read import read
from unrolled.data.roles import Roles
from unrolled.data.sequences import Sequences, drop_missing
from unrolled.data.split import hold_out, hold_out_end, hold_out_last, without_history
from unrolled.errors import DataError, UsageError
from unrolled.training.schedule import Budget

__all__ = ["LAST", "Splits", "share_of", "split_up"]

LAST = "last"  # --valid last, --test last: the last step of each sequence
_HELD_OUT = 0.1  # of the training data, where there is no --valid
_ENOUGH = 500_000  # steps to validate on: more would cost minutes each time, and 0.01 nats show as it is
_FEW = 10  # with fewer sequences than this, the end of each is held out instead of whole ones

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts; ``valid`` chooses the weights, ``test`` is read once, at the end.

    Attributes:
        notes: how they came about, in words.
    """

    train: Sequences
    valid: Sequences | None
    test: Sequences | None
    notes: tuple[str, ...] = ()


def split_up(sequences: Sequences, config: RunConfig, roles: Roles, say: Say) -> Splits:
    """Split as the user asked: by a file or a share, else a tenth (of very long data less) for validation.

    Shares are of whole sequences at random, or of the end of each where the future is asked for.

    Raises:
        DataError: there is too little to split.
        UsageError: a share is out of range, or nothing would say when to stop.
    """
    notes: list[str] = []
    used = {*roles.inputs, *roles.joined, roles.target}  # other columns have no say in how rows are cut
    sequences = replace(sequences, kinds={name: kind for name, kind in sequences.kinds.items() if name in used})
    rest, test = _part(sequences, config.data.test, "test", config, roles, notes)
    how = _default_share(rest, roles) if config.data.valid is None else config.data.valid
    train, valid = _part(rest, how, "valid", config, roles, notes)
    if valid is None:
        notes.append("valid: nothing is held out, so the last weights are kept")
        if Budget(config.training).open_ended:
            raise UsageError("without validation nothing says when to stop: give --steps, --epochs or --minutes")
    for note in notes:
        say(note)
    return Splits(train, valid, test, tuple(notes))


def _default_share(sequences: Sequences, roles: Roles) -> float:
    """A tenth; of very many steps that are each asked for, as many as judge well enough."""
    if roles.form in ANSWERED_WHOLE:
        return _HELD_OUT
    column = sequences.column(roles.joined[0] if roles.joined else roles.target)
    lengths = pc.list_value_length(column) if has_time(column.type) else pc.binary_length(column)
    return min(_HELD_OUT, _ENOUGH / max(pc.sum(lengths).as_py() or 0, 1))


def _part(
    sequences: Sequences, how: str | float | None, role: str, config: RunConfig, roles: Roles, notes: list[str]
) -> tuple[Sequences, Sequences | None]:
    """(what is left, the split), given as a path or as a share."""
    known = sequences
    if roles.form not in OWN:
        known, missing = drop_missing(sequences, roles.target)
        if missing:
            notes.append(f"{missing} of {len(sequences)} rows have no {roles.target} and are left out")
    share = 0.0 if how is None else share_of(how)
    if how is None or share == 0:
        return known, None
    if how == LAST:
        if roles.form != "next":
            raise UsageError(f"--{role} last holds out the last step of each sequence, which next_step alone asks for")
        left, part = hold_out_last(known)
        steps = pc.list_value_length(part.column(roles.joined[0] if roles.joined else roles.target))
        asked = pc.sum(pc.greater(steps, pa.array(part.first))).as_py()
        notes.append(f"{role}: the last step of {asked} of {len(known)} sequences")
        return left, part
    if share is None:
        timed = {name: has_time(sequences.column(name).type) for name in sequences.kinds}
        data = as_read(config.data, config.task.name)
        other = read(how, data, steps=config.task.horizon is not None, timed=timed)
        if roles.form not in OWN:
            other, _ = drop_missing(other, roles.target)
        notes += [f"{role}: {len(other)} rows of {how}", *(f"{role}: {line}" for line in other.remarks)]
        return known, other
    by_time = roles.form == "horizon" or (roles.form in OWN and len(known) < _FEW)
    if by_time:
        left, part = hold_out_end(known, share)
        part = part if roles.form == "horizon" else without_history(part)
        notes.append(f"{role}: the last {100 * share:.2g} % of each sequence")
        return left, part
    if len(known) < 2:
        raise DataError(
            "has a single row, so nothing can be held out to validate on", file=sequences.origin, hint="give more rows"
        )
    labels = roles.target if sequences.kinds.get(roles.target) == "category" and roles.form not in OWN else None
    left, part = hold_out(known, share, config.training.seed, labels)
    notes.append(f"{role}: {len(part)} of {len(known)} rows, held out at random")
    return left, part


def share_of(how: str | float) -> float | None:
    """0.1 or '0.1' as a number; ``None`` for a path, and for `LAST`.

    Raises:
        UsageError: a number that is no share.
    """
    try:
        share = float(how)
    except ValueError:
        return None
    if not 0 <= share < 1:
        raise UsageError(f"{how} is not a share from 0 to below 1, nor a file")
    return share
