"""Which columns play which part: shared by the tasks when they choose inputs and target."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from unrolled.data.encodings.base import Encoding, has_time
from unrolled.data.encodings.facets import Letters
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.tasks.task import Question

__all__ = [
    "check_aligned",
    "check_letters",
    "is_measured",
    "is_number",
    "join",
    "one_target",
    "other_columns",
    "step_aligned",
]

_NEARLY = 0.9  # from this share of rows with one label for each step, the others are taken for faults


def one_target(question: Question) -> str:
    """The single target column; a `UsageError` if none or several were named."""
    if len(question.target) != 1:
        known = ", ".join(question.sequences.kinds)
        raise UsageError(f"this task needs one --target column, not {len(question.target)}; the columns are: {known}")
    question.sequences.column(question.target[0])
    return question.target[0]


def other_columns(question: Question) -> tuple[str, ...]:
    """The inputs: those that were named, else every column but the target.

    Raises:
        DataError: there is none.
        UsageError: one of those that were named is the target.
    """
    sequences = question.sequences
    chosen = question.inputs or tuple(name for name in sequences.kinds if name not in question.target)
    for name in chosen:
        sequences.column(name)
        if name in question.target:
            raise UsageError(f"{name!r} is the target: it cannot be an input too")
    if not chosen:
        raise DataError(
            "there is no input column beside the target", file=sequences.origin, hint="add a column to learn from"
        )
    return chosen


def is_measured(sequences: Sequences, name: str) -> bool:
    """True if a column has numbers for each step, such as the frames of a recording."""
    traits = sequences.traits(name)
    return traits.measured and (traits.whole or has_time(sequences.column(name).type))


def is_number(sequences: Sequences, name: str) -> bool:
    """True if a column has a single number a row, or a single one a step."""
    traits = sequences.traits(name)
    return traits.measured and not traits.channels and not traits.whole


def step_aligned(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> bool:
    """True if the target has one value for each step of an input, in nearly every row: where it has not is a fault."""
    steps = _steps(sequences, target, inputs)
    if steps is None:
        return False
    own, theirs = steps
    return int((own == theirs).sum()) >= _NEARLY * int((own >= 0).sum())


def check_aligned(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> None:
    """A row whose target has more or fewer labels than the inputs have steps is named.

    Raises:
        DataError: there is one, or target and inputs are no lists.
    """
    steps = _steps(sequences, target, inputs)
    if steps is None:
        raise DataError("does not have one label for each step of the inputs", file=sequences.origin, column=target)
    own, theirs = steps
    wrong = np.flatnonzero((own >= 0) & (own != theirs))
    if len(wrong):
        row, place = int(wrong[0]), sequences.where(target)
        raise DataError(
            f"{own[row]} label{'s' if own[row] != 1 else ''} for {theirs[row]} step{'s' if theirs[row] != 1 else ''}",
            file=place.file,
            row=place.row(row),
            column=target,
            hint="give each step one label, leave the row out, or name another --task",
        )


def _steps(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """(R,) the steps of the target, -1 where a row has none and is left out, and of the first input that is a list."""
    array = sequences.column(target)
    if not has_time(array.type):
        return None
    for name in inputs:
        other = sequences.column(name)
        if has_time(other.type):
            theirs = pc.fill_null(pc.list_value_length(other), 0).to_numpy()
            own = pc.fill_null(pc.list_value_length(array), -1).to_numpy()
            return own, theirs
    return None


def join(sequences: Sequences, names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The numeric columns that are the channels of one series (none if it is a series already), and its name.

    Raises:
        DataError: a column does not hold a number for each step.
    """
    for name in names:
        sequences.column(name)
        if sequences.traits(name).channels and len(names) == 1:
            return (), name
        if not is_number(sequences, name) or not has_time(sequences.column(name).type):
            raise DataError(
                f"is {sequences.kinds[name]}, not a number for each step",
                file=sequences.origin,
                column=name,
                hint="a table with one row a step needs --order or --by; leave a column out with --ignore",
            )
    return names, names[0] if len(names) == 1 else "series"


def check_letters(answer: Encoding, task: str) -> None:
    """Refuse steps of several letters to a task that predicts them: each tells all but one letter of the next.

    Raises:
        UsageError: a step has more than one letter.
    """
    if isinstance(answer, Letters) and answer.per_step > 1:
        raise UsageError(
            f"{named('kmer')} = {answer.per_step} does not work with the task {task!r}: neighbouring k-mers overlap, "
            f"so each tells all but one letter of the next; leave {named('kmer')} out"
        )
