"""Known covariates: columns whose future values are known, such as promotions, holidays or a weather forecast.

A column that is known H steps ahead is read H steps early: step t holds its value at t + H. A model that has read the
last step before a forecast has therefore read the next H values and none beyond them; the model itself does not change.
The first H values of a row come before its first step and are not read. The last H steps have no future value, so every
window ends H steps before its row does, in training and in prediction.

Axes: H steps ahead.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.encoding import Encoded, has_time
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError

__all__ = ["last_known", "read_early", "steps_of"]


def read_early(array: pa.ChunkedArray, steps: int) -> pa.ChunkedArray:
    """Drop the first ``steps`` values of each row; a row with no more values than that becomes empty.

    A column without lists is returned unchanged: its encoding refuses it.

    Example:
        >>> read_early(pa.chunked_array([[[1, 2, 3], [4]]]), 2).to_pylist()
        [[3], []]
    """
    return pc.list_slice(array, steps, return_fixed_size_list=False) if has_time(array.type) else array


def steps_of(array: pa.ChunkedArray) -> np.ndarray:
    """(rows,) int64: the steps of each row; 0 where it has no list."""
    if not has_time(array.type):
        return np.zeros(len(array), np.int64)
    return np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(), np.int64)


def last_known(
    target: Encoded, horizon: int, part: Sequences, names: tuple[str, ...], ahead: tuple[str, ...], by: str | None
) -> np.ndarray:
    """(rows,) int64: how many steps of each row come before the last H, which are forecast.

    Args:
        target: the known values of the forecast columns.
        horizon: H ≥ 1.
        part: the data to forecast.
        names: the columns to forecast.
        ahead: the known covariates.
        by: the column that names each row's series, if any.

    Raises:
        DataError: a row does not end with H steps in which every forecast column is empty.
    """
    assert target.offsets is not None
    gone = np.zeros(len(target.values), bool) if target.missing is None else target.missing.all(1)
    known = np.concatenate([[-1], np.flatnonzero(~gone)])
    last = known[np.searchsorted(known, target.offsets[1:]) - 1]  # before each row's end, in whichever row
    ends = target.offsets[1:] - np.maximum(last + 1, target.offsets[:-1])
    short = np.flatnonzero(ends < horizon)
    if len(short):
        row, covariates, forecast = int(short[0]), ", ".join(ahead), ", ".join(names)
        series = f"{part.table.column(by)[row].as_py()!r} " if by else ""
        raise DataError(
            f"{series}ends with {ends[row]} steps without {forecast}, but the forecast covers {horizon} steps",
            file=part.origin,
            row=part.where(names[0]).row(row),
            column=by,
            hint=f"add a row for each of the next {horizon} steps; fill in {covariates} and leave {forecast} empty",
        )
    return target.lengths() - horizon
