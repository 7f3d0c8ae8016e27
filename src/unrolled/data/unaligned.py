"""Targets whose steps stand in the order of the inputs' steps, but not beside them. Axes: R rows, N ids of all rows."""

from __future__ import annotations

import numpy as np

from unrolled.data.encoded import Encoded, Where
from unrolled.data.encodings._level import UNKNOWN
from unrolled.errors import DataError

__all__ = ["check_unaligned"]


def check_unaligned(target: Encoded, steps: np.ndarray, where: Where) -> None:
    """Make sure that each row's ids are known, and that there is a step for each of them.

    A step tells of one id at most, and between two equal ids there must be a step that tells of none.

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
            f"its token {int(unknown[0] - offsets[row]) + 1} is none that training knows",
            file=where.file,
            row=where.row(row),
            column=where.column,
            hint="answers are made of the tokens of training: leave the row out, or train with more of them",
        )
    again = np.zeros(len(ids) + 1, np.int64)  # how many of the ids so far are equal to the one before
    again[2:] = np.cumsum(ids[1:] == ids[:-1])
    first = offsets[:-1][target.lengths() > 0]
    repeats = again[offsets[1:]] - again[offsets[:-1]]
    repeats[target.lengths() > 0] -= again[first + 1] - again[first]  # the one before is another row's
    needed = target.lengths() + repeats
    short = np.flatnonzero(needed > steps)
    if len(short):
        row = int(short[0])
        raise DataError(
            f"has {target.lengths()[row]} tokens, which need {needed[row]} steps, but its inputs have {steps[row]}",
            file=where.file,
            row=where.row(row),
            column=where.column,
            hint="take finer steps or larger tokens, leave the row out, or ask for --task translate",
        )
