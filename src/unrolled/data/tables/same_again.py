"""Columns that say the same as the target in other words, so that a model that reads them has nothing to learn."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import plain
from unrolled.data.io.blobs import is_binary
from unrolled.data.io.number_types import is_number
from unrolled.data.tables.grouping import codes
from unrolled.errors import named

__all__ = ["said_of_the_same"]

_FEWEST = 20  # rows; fewer may agree by accident


def said_of_the_same(table: pa.Table, target: str, names: Collection[str]) -> Iterator[str]:
    """A line for each of the columns ``names`` whose values go with those of ``target`` one to one.

    Numbers that are nearly all different do so if they rise or fall together with it, as a logarithm does.

    Cost: O(N log N) for each column with as many different values.

    Example:
        >>> table = pa.table({"species": ["a", "b"] * 10, "species_id": [1, 2] * 10, "x": [1, 2, 2, 1] * 5})
        >>> list(said_of_the_same(table, "species", ["species_id", "x"]))[0][:60]
        "each value of 'species_id' goes with one of 'species' and th"
    """
    if target not in table.column_names:  # it is made of several
        return
    wanted = plain(table.column(target))
    if not _comparable(wanted) or len(wanted) < _FEWEST:
        return
    count = pc.count_distinct(wanted).as_py()
    for name in (name for name in names if name in table.column_names):
        column = plain(table.column(name))
        flat = name != target and _comparable(column) and not column.null_count
        if flat and count > 1 and pc.count_distinct(column).as_py() == count and _one_to_one(wanted, column, count):
            yield (
                f"each value of {name!r} goes with one of {target!r} and the reverse, so it gives the answer away: "
                f"{named('ignore')} {name} leaves it out"
            )


def _comparable(column: pa.ChunkedArray) -> bool:
    """Whether the cells are single values that are compared in little time: neither lists nor the bytes of files."""
    return not (pa.types.is_nested(column.type) or is_binary(column.type))


def _one_to_one(wanted: pa.ChunkedArray, column: pa.ChunkedArray, count: int) -> bool:
    known = pc.is_valid(wanted)
    wanted, column = wanted.filter(known), column.filter(known)
    pairs = codes(wanted).astype(np.int64) * (count + 1) + codes(column)
    if len(np.unique(pairs)) != count or pc.count_distinct(column).as_py() != count:
        return False
    return 2 * count <= len(wanted) or _rise_together(wanted, column)


def _rise_together(wanted: pa.ChunkedArray, column: pa.ChunkedArray) -> bool:
    if not (is_number(wanted.type) and is_number(column.type)):
        return False
    left, right = wanted.to_numpy(), column.to_numpy()
    steps = np.sign(np.diff(right[np.argsort(left, kind="stable")]))
    return bool((steps >= 0).all() or (steps <= 0).all())
