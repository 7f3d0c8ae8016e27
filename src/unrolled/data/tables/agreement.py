"""Checks that the columns of a table agree with each other and with the training data."""

from __future__ import annotations

import numpy as np

from unrolled.data.encodings._level import UNKNOWN
from unrolled.data.encodings.encoding import Encoded, Where
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, counted, named

__all__ = ["check_binary", "check_lengths", "check_unaligned", "meant_to_agree"]

_NEARLY = 0.9


def check_binary(target: Encoded, where: Where) -> None:
    """Check that a target that was only ever 0 or 1 in training is 0 or 1 here too; the model predicts a probability.

    Raises:
        DataError: a value is neither 0 nor 1.
    """
    values = target.values
    odd = np.argwhere(~((values == 0) | (values == 1) | np.isnan(values)))
    if len(odd):
        step, channel = (int(index) for index in odd[0])
        assert target.offsets is not None
        raise DataError(
            f"the value is {values[step, channel]:g}, but every training value was 0 or 1",
            file=where.file,
            row=where.row(int(np.searchsorted(target.offsets, step, side="right")) - 1),
            column=where.column,
        )


def meant_to_agree(steps: np.ndarray, others: np.ndarray) -> bool:
    """Whether two lists have about the same number of steps in nearly all rows: where they differ, the data is wrong.

    Example:
        >>> meant_to_agree(np.array([3, 4, 50]), np.array([3, 4, 49]))
        True
        >>> meant_to_agree(np.array([3, 4]), np.array([3, 1]))
        False
    """
    about = np.abs(steps - others) <= (1 - _NEARLY) * np.maximum(steps, others)
    return bool(about.mean() >= _NEARLY) if len(steps) else True


def check_lengths(timed: dict[str, np.ndarray], part: Sequences) -> None:
    """Check that all columns with a time axis have the same number of steps in each row.

    Args:
        timed: column name -> (rows,) int64, the steps of each row.
        part: the split, for the error.

    Raises:
        DataError: two columns differ in length in a row.
    """
    names = list(timed)
    for other in names[1:]:
        differ = np.flatnonzero(timed[names[0]] != timed[other])
        if len(differ):
            row, place = int(differ[0]), part.where(other)
            a, b = int(timed[names[0]][row]), int(timed[other][row])
            raise DataError(
                f"has {counted(b, 'step')}, but {names[0]!r} has {a}",
                file=place.file,
                row=place.row(row),
                column=other,
                hint=f"columns with a time axis need one value for each step; leave one out with {named('ignore')}",
            )


def check_unaligned(target: Encoded, steps: np.ndarray, where: Where) -> None:
    """Check that each row's ids are known and that its inputs have enough steps for them.

    A step gives at most one id, and two equal ids in a row need a blank step between them.

    Args:
        target: (N,) ids with offsets.
        steps: (R,) the steps of each row's inputs.
        where: the target's name and file.

    Raises:
        DataError: an id is ``<unknown>``, or a row has too few steps.

    Example:
        >>> spelled = Encoded(np.array([3, 4, 4, 3]), np.array([0, 3, 4]))
        >>> check_unaligned(spelled, np.array([4, 1]), Where("clips.csv", "text"))
        >>> check_unaligned(spelled, np.array([3, 1]), Where("clips.csv", "text"))
        Traceback (most recent call last):
        unrolled.errors.DataError: clips.csv, row 1, column 'text': has 3 tokens, which need 4 steps, but its inputs...
    """
    ids, offsets = target.values, target.offsets
    assert offsets is not None
    unknown = np.flatnonzero(ids == UNKNOWN)
    if len(unknown):
        row = int(np.searchsorted(offsets, unknown[0], side="right")) - 1
        raise DataError(
            f"its token {int(unknown[0] - offsets[row]) + 1} was not in the training data",
            file=where.file,
            row=where.row(row),
            column=where.column,
            hint="leave the row out, or train with data that has this token",
        )
    again = np.zeros(len(ids) + 1, np.int64)  # how many ids so far equal the previous one
    again[2:] = np.cumsum(ids[1:] == ids[:-1])
    first = offsets[:-1][target.lengths() > 0]
    repeats = again[offsets[1:]] - again[offsets[:-1]]
    repeats[target.lengths() > 0] -= again[first + 1] - again[first]  # the previous id is in another row
    needed = target.lengths() + repeats
    short = np.flatnonzero(needed > steps)
    if len(short):
        row = int(short[0])
        raise DataError(
            f"has {counted(target.lengths()[row], 'token')}, which need {counted(needed[row], 'step')}, "
            f"but its inputs have {steps[row]}",
            file=where.file,
            row=where.row(row),
            column=where.column,
            hint=f"use shorter steps or larger tokens, read each step more often with {named('repeat_inputs')}, "
            "leave the row out, or use the task 'translate'",
        )
