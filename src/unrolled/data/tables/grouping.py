"""Convert a table with a row for each step to a table with a row for each sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text
from unrolled.data.io.timestamps import moments
from unrolled.data.io.views import wide
from unrolled.errors import IN_MEMORY, DataError, Origin, did_you_mean, named

__all__ = ["codes", "group_steps"]

_LARGEST_OFFSET = 2**31 - 1
_BITS = 62  # of a number that sorts a row
_MANY_ROWS = 20  # single steps that are no accident


def group_steps(
    table: pa.Table,
    by: str | None = None,
    order: str | None = None,
    origin: Origin = IN_MEMORY,
    timed: Mapping[str, bool] | None = None,
    gap: float | None = None,
) -> pa.Table:
    """Gather the steps of each sequence into list cells; sequences come in the order in which they first appear.

    Args:
        table: a row for each step.
        by: the column that names the sequence; ``None``: all rows are one sequence.
        order: the column to sort the steps by; equal ones keep their order; ``None``: the order of the rows.
        origin: how errors name the table.
        timed: column -> whether it has a value for each step, as the training data of a model showed. For other columns
            it is inferred: with ``by``, one that never changes within a sequence (such as a label) has one value.
        gap: start a new sequence (a session) where two steps are more than so many seconds apart by ``order``; numbers
            are taken as seconds.

    Raises:
        DataError: ``by`` or ``order`` names an unknown column, has an empty cell, or cannot be sorted; ``gap`` is set
            but ``order`` does not hold times; or a column changes within a sequence although ``timed`` denies it.

    Example:
        >>> steps = pa.table({"id": ["a", "b", "a"], "t": [2, 1, 1], "x": [0.5, 0.1, 0.4], "y": [1, 0, 1]})
        >>> group_steps(steps, "id", "t").to_pydict()
        {'id': ['a', 'b'], 't': [[1, 2], [1]], 'x': [[0.4, 0.5], [0.1]], 'y': [1, 0]}
    """
    table = wide(table)
    groups = np.zeros(table.num_rows, np.int64) if by is None else codes(_key(table, by, origin))
    places = np.arange(table.num_rows) if order is None else _sorted_places(_key(table, order, origin), order, origin)
    places = places[_in_groups(groups[places])]
    if (np.diff(places) != 1).any():  # most tables are already in order and are not copied
        table = table.take(pa.array(places))
    begins = np.flatnonzero(np.diff(groups[places], prepend=-1))
    if gap is not None and order is not None:
        at = moments(
            table.column(order),
            lambda message, index: DataError(
                message, file=origin, row=None if index is None else int(places[index]) + 1, column=order
            ),
        )
        begins = np.union1d(begins, np.flatnonzero(np.diff(at, prepend=0) > gap))
        if len(begins) == table.num_rows > _MANY_ROWS:
            least = float(np.diff(at).min(initial=np.inf, where=np.diff(at) > 0))
            message = f"leaves one step in every sequence: the steps are at least {least:g} seconds apart"
            hint = f"give a longer {named('gap')}"
            raise DataError(f"{named('gap')} {message}", file=origin, column=order, hint=hint)
    offsets = np.concatenate([begins, [table.num_rows]])
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        steps = (timed or {}).get(name, True if by is None or name == order else None)
        if name != by and steps is not True:
            change = _first_change(column, offsets)
            if change is not None and steps is False:
                message = "changes within a sequence, but the model was trained with one value for each sequence"
                raise DataError(message, file=origin, row=int(places[change]) + 1, column=name)
            steps = change is not None
        columns[name] = _lists(column, offsets) if steps and name != by else column.take(pa.array(offsets[:-1]))
    return pa.table(columns)


def _in_groups(groups: np.ndarray) -> np.ndarray:
    """The order that puts equal numbers together and keeps theirs: a stable sort, of one number for each row."""
    bits = max(len(groups) - 1, 0).bit_length()
    if int(groups.max(initial=0)).bit_length() + bits > _BITS:
        return np.argsort(groups, kind="stable")
    keys = (groups << bits) | np.arange(len(groups))
    keys.sort()
    return keys & ((1 << bits) - 1)


def _key(table: pa.Table, name: str, origin: Origin) -> pa.ChunkedArray:
    if name not in table.column_names:
        hint = did_you_mean(name, table.column_names).strip()
        raise DataError("there is no such column", file=origin, column=name, hint=hint)
    column = table.column(name)
    if pa.types.is_nested(column.type):
        raise DataError(f"holds {column.type}, which cannot name or order steps", file=origin, column=name)
    empty = pc.is_null(column, nan_is_null=True)
    row = pc.index(empty, True).as_py()
    if row >= 0:
        raise DataError("is empty, but it must say where the step belongs", file=origin, row=row + 1, column=name)
    return column


def codes(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) int64: equal cells have equal numbers, counted from 0 in the order of their first appearance."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    indices: np.ndarray = encoded.indices.to_numpy(zero_copy_only=False)
    return indices.astype(np.int64)


def _sorted_places(column: pa.ChunkedArray, name: str, origin: Origin) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        message = f"{column[0].as_py()[:40]!r} is a text, and texts cannot order the steps"
        raise DataError(message, file=origin, row=1, column=name, hint="give dates, times or numbers")
    try:
        places: np.ndarray = pc.sort_indices(column).to_numpy()
    except pa.ArrowNotImplementedError:
        raise DataError(f"holds {column.type}, which cannot be sorted", file=origin, column=name) from None
    return places.astype(np.int64)


def _first_change(column: pa.ChunkedArray, offsets: np.ndarray) -> int | None:
    """The first row that differs from the previous row of its sequence; ``None`` if no row does."""
    if not len(column):
        return None
    if pa.types.is_nested(column.type):  # lists have no codes: assume that they change at each step
        longer = np.flatnonzero(np.diff(offsets) > 1)
        return int(offsets[longer[0]]) + 1 if len(longer) else None
    differs = np.diff(codes(column), prepend=-1) != 0
    differs[offsets[:-1]] = False
    return int(np.argmax(differs)) if differs.any() else None


def _lists(column: pa.ChunkedArray, offsets: np.ndarray) -> pa.Array:
    wide = offsets[-1] > _LARGEST_OFFSET
    form, width = (pa.LargeListArray, pa.int64()) if wide else (pa.ListArray, pa.int32())
    return form.from_arrays(pa.array(offsets, width), column.combine_chunks())
