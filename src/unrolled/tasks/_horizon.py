"""What is forecast where the user does not say: the columns, the dates of their steps, a horizon for a message."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from unrolled.data.encodings.encoding import has_time
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import list_lengths

__all__ = ["dated_steps", "example_horizon", "measured_over_time"]

_SUGGESTED = 12


def dated_steps(sequences: Sequences) -> str | None:
    """The column that holds the date or time of each step; ``None`` if there is none."""
    for field in sequences.table.schema:
        if has_time(field.type) and pa.types.is_temporal(field.type.value_type):
            return str(field.name)
    return None


def example_horizon(sequences: Sequences) -> int:
    """A horizon for a message: 12, or what the longest series still can be validated by.

    >>> example_horizon(Sequences(pa.table({"x": [[1.0] * 1000]}), {"x": "number"}))
    12
    >>> example_horizon(Sequences(pa.table({"x": [1.0] * 12}), {"x": "number"}))
    5
    """
    lists = [column for column in sequences.table.columns if has_time(column.type)]
    steps = max((int(list_lengths(column).max(initial=0)) for column in lists), default=len(sequences))
    return max(1, min(_SUGGESTED, (steps - 1) // 2))


def measured_over_time(sequences: Sequences, named: Sequence[str]) -> list[str]:
    """The columns that would be forecast: numbers over time; none if the user ``named`` one that is no such column."""
    found = [
        name
        for name in named or sequences.kinds
        if sequences.traits(name).measured and has_time(sequences.column(name).type)
    ]
    return found if len(found) == len(named or found) else []
