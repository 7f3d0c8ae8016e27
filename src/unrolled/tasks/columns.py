"""Which columns play which part: shared by the tasks when they choose inputs and target."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from unrolled.data.encoded import has_time
from unrolled.data.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.tasks.task import Question

__all__ = ["is_measured", "join", "one_target", "other_columns", "step_aligned"]


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
    kind = sequences.kinds[name]
    return kind == "audio" or (kind in ("number", "series") and has_time(sequences.column(name).type))


def step_aligned(sequences: Sequences, target: str, inputs: tuple[str, ...]) -> bool:
    """True if the target has one value for each step of an input, in every row."""
    array = sequences.column(target)
    if not has_time(array.type):
        return False
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    for name in inputs:
        other = sequences.column(name)
        if has_time(other.type):
            return bool(np.array_equal(pc.fill_null(pc.list_value_length(other), 0).to_numpy(), lengths))
    return False


def join(sequences: Sequences, names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The numeric columns that are the channels of one series (none if it is a series already), and its name.

    Raises:
        DataError: a column does not hold a number for each step.
    """
    for name in names:
        sequences.column(name)
        if sequences.kinds[name] == "series" and len(names) == 1:
            return (), name
        if sequences.kinds[name] != "number" or not has_time(sequences.column(name).type):
            raise DataError(
                f"is {sequences.kinds[name]}, not a number for each step",
                file=sequences.origin,
                column=name,
                hint="a table with one row a step needs --order or --by; leave a column out with --ignore",
            )
    return names, names[0] if len(names) == 1 else "series"
