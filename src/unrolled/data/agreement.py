"""Whether the columns of a table agree with each other, and with what was learned of them."""

from __future__ import annotations

import numpy as np

from unrolled.data.encoded import Encoded, Where
from unrolled.data.sequences import Sequences
from unrolled.errors import DataError

__all__ = ["check_binary", "check_lengths"]


def check_binary(target: Encoded, where: Where) -> None:
    """What was on or off in training is asked for as a probability, so no later target may be anything between.

    Raises:
        DataError: a value is neither 0 nor 1.
    """
    values = target.values
    odd = np.argwhere(~((values == 0) | (values == 1) | np.isnan(values)))
    if len(odd):
        step, channel = (int(index) for index in odd[0])
        assert target.offsets is not None
        raise DataError(
            f"the value is {values[step, channel]:g}, but in training all were 0 or 1",
            file=where.file,
            row=where.row(int(np.searchsorted(target.offsets, step, side="right")) - 1),
            column=where.column,
        )


def check_lengths(timed: dict[str, np.ndarray], part: Sequences) -> None:
    """All columns that have a time axis have one value for each step of their row.

    Args:
        timed: column name -> (rows,) int64, the steps of each row.
        part: the split, for the error.

    Raises:
        DataError: two differ in length in a row.
    """
    names = list(timed)
    for other in names[1:]:
        differ = np.flatnonzero(timed[names[0]] != timed[other])
        if len(differ):
            row, place = int(differ[0]), part.where(other)
            a, b = int(timed[names[0]][row]), int(timed[other][row])
            raise DataError(
                f"has {b} steps, but {names[0]!r} has {a}",
                file=place.file,
                row=place.row(row),
                column=other,
                hint="columns with a time axis need one value for each step; leave one out with --ignore",
            )
