"""What whole numbers are: counts and measures over time, names of items, or labels."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._labels import looks_like_labels, repeats
from unrolled.data.encodings.encoding import has_time
from unrolled.data.io.column_names import names_an_identity, names_an_item, says_one_of

__all__ = ["kinds_of_whole_numbers"]

_STATES = {
    *("label", "labels", "class", "state", "status", "target", "y", "activity", "fault", "anomaly", "event", "type"),
    *("category", "mode", "phase", "stage", "is", "has"),
}
_MOST_STATES = 100


def kinds_of_whole_numbers(
    table: pa.Table, target: Collection[str], known: Collection[str], *, in_steps: bool
) -> dict[str, str]:
    """Column -> kind, for each column of whole numbers whose part or name tells more than its values.

    Over time, whole numbers are numbers, but for a target with two values or with a name such as ``state``. Otherwise
    numbers that name items or people are labels, or tokens if there are very many.

    Args:
        table: lists where rows were grouped.
        target: the columns to predict, if no horizon is asked for.
        known: columns whose kind is known already.
        in_steps: whether the rows were equal steps in time.

    Example:
        >>> kinds_of_whole_numbers(pa.table({"units": [[3, 0, 3, 1]], "item": [7]}), (), (), in_steps=True)
        {'units': 'number'}
    """
    found = {}
    for field in table.schema:
        timed = has_time(field.type)
        value = field.type.value_type if timed else field.type
        if field.name in known or not pa.types.is_integer(value):
            continue
        column = table.column(field.name)
        if in_steps and timed:
            if field.name not in target or not _is_state(field.name, column):
                found[field.name] = "number"
        elif timed and (names_an_item(field.name) or names_an_identity(field.name)):
            found[field.name] = "category" if looks_like_labels(column) else "tokens"
        elif not timed and names_an_identity(field.name) and field.name not in target and repeats(column):
            found[field.name] = "category"
    return found


def _is_state(name: str, column: pa.ChunkedArray) -> bool:
    distinct = pc.count_distinct(pc.list_flatten(column), mode="only_valid").as_py()
    return distinct == 2 or (says_one_of(name, _STATES) and 2 < distinct <= _MOST_STATES)
