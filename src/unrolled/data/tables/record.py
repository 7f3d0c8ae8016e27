"""The fields of a row as the steps of a sequence: ``food=thai, area=centre``, each one a token."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.errors import DataError, Origin, did_you_mean

__all__ = ["FIELDS", "as_steps"]

FIELDS = "fields"  # the name of the new column


def as_steps(table: pa.Table, names: tuple[str, ...], origin: Origin) -> pa.Table:
    """Add a list column `FIELDS` of kind tokens to ``table``, made of the columns ``names``.

    A step is ``name=value``, with the value as text; steps are in the order of ``names``, and an empty cell has none.

    Args:
        table: with one value for each row in those columns.
        names: at least one.
        origin: how errors name the table.

    Raises:
        DataError: a column is missing or holds lists, bytes or the like, or the name `FIELDS` is taken.

    Cost: O(rows × names) in Arrow.

    Example:
        >>> from unrolled.errors import IN_MEMORY
        >>> rows = pa.table({"food": ["thai", None], "stars": [3, 4]})
        >>> as_steps(rows, ("food", "stars"), IN_MEMORY).column("fields").to_pylist()
        [['food=thai', 'stars=3'], ['stars=4']]
    """
    if FIELDS in table.column_names:
        raise DataError("this name is taken by the joined fields", file=origin, column=FIELDS, hint="rename it")
    steps = [_cells(table, name, origin) for name in names]
    places = np.arange(len(names) * table.num_rows).reshape(len(names), -1).T.ravel()  # row by row
    cells = pa.concat_arrays(steps).take(pa.array(places))
    known = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(known.reshape(-1, len(names)).sum(1))])
    lists = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), cells.drop_null())
    field = pa.field(FIELDS, lists.type, metadata={"kind": "tokens"})
    return table.append_column(field, lists)


def _cells(table: pa.Table, name: str, origin: Origin) -> pa.Array:
    if name not in table.column_names:
        hint = did_you_mean(name, table.column_names).strip()
        raise DataError("there is no such column", file=origin, column=name, hint=hint)
    column = table.column(name)
    try:
        texts = column.cast(pa.large_string())
    except pa.ArrowException:
        raise DataError(f"holds {column.type}, which is not a single value", file=origin, column=name) from None
    return pc.binary_join_element_wise(
        pa.scalar(name, pa.large_string()), texts, pa.scalar("=", pa.large_string())
    ).combine_chunks()
