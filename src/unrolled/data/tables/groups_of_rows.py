"""Rows that belong together, such as those of one machine: a random split would show some of them in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import is_text
from unrolled.data.io.column_names import names_a_source
from unrolled.data.tables.grouping import codes
from unrolled.errors import named

__all__ = ["said_of_groups"]

_FEWEST = 4  # rows of a group on average


def said_of_groups(table: pa.Table) -> Iterator[str]:
    """A line for each column whose values stand in runs and whose name says that they name the sources of rows.

    Example:
        >>> list(said_of_groups(pa.table({"machine": [1] * 5 + [2] * 5, "x": range(10)})))[0][:40]
        "the column 'machine' repeats in runs, so"
    """
    for name in table.column_names:
        kind = table.schema.field(name).type
        if not (is_text(kind) or pa.types.is_integer(kind)) or not names_a_source(name):
            continue
        group = codes(table.column(name))
        count = int(group.max(initial=0)) + 1
        if 1 < count <= len(group) // _FEWEST and int((np.diff(group) != 0).sum()) + 1 == count:
            yield (
                f"the column {name!r} repeats in runs, so rows of the same {name!r} may be in training and in "
                f"validation; {named('by')} {name} keeps them together"
            )
