"""Several tables of sequences as one: the rows of the first, then those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, Origin

__all__ = ["joined"]


def joined(parts: Sequence[Sequences]) -> Sequences:
    """The rows of all ``parts``, with the columns that have a kind in each of them; errors still name their files.

    Raises:
        DataError: a column is of one type in one part, and of another type in the next, that do not go together.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    names = [name for name in first.kinds if all(name in part.table.column_names for part in parts)]
    tables = [part.table.select(names) for part in parts]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(_other_type(parts, names) or str(error), file=parts[-1].origin) from None
    files = [part.origin.files or ((part.origin.name, _height(part)),) for part in parts]
    before = np.cumsum([0, *(sum(rows for _, rows in listed) for listed in files)])
    rows = [_places(part) + begin for part, begin in zip(parts, before.tolist(), strict=False)]
    origin = Origin(
        " and ".join(dict.fromkeys(part.origin.name for part in parts)), tuple(f for ff in files for f in ff)
    )
    timed = any(part.first is not None for part in parts)
    starts = [np.zeros(len(part), np.int64) if part.first is None else part.first for part in parts]
    kinds = {name: first.kinds[name] for name in names}
    first_steps = np.concatenate(starts) if timed else None
    return replace(first, table=table, kinds=kinds, origin=origin, first=first_steps, rows=np.concatenate(rows))


def _places(part: Sequences) -> np.ndarray:
    return np.arange(len(part)) if part.rows is None else part.rows


def _height(part: Sequences) -> int:
    """How many rows its file has, as far as ``part`` shows."""
    return int(_places(part).max(initial=-1)) + 1


def _other_type(parts: Sequence[Sequences], names: list[str]) -> str:
    for name in names:
        types = list(dict.fromkeys(str(part.table.column(name).type) for part in parts))
        if len(types) > 1:
            return f"the column {name!r} is of type {types[0]} here, but of type {types[1]} in the data before"
    return ""
