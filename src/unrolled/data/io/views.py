"""Tables whose cells few of Arrow's functions take, as plain ones: views, which polars has in its frames, and columns
beyond 2 GiB, of which no rows can be gathered while their offsets have 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["wide", "without_views"]

_PLAIN = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
_WIDE = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
_MUCH = 1 << 30  # bytes of texts, or steps of lists: half of what an offset of 32 bits can count


def without_views(table: pa.Table) -> pa.Table:
    """``table`` with plain texts and bytes; not copied where it has no views.

    Example:
        >>> without_views(pa.table({"x": pa.array(["a"], pa.string_view())})).schema.field("x").type
        DataType(large_string)
    """
    return _cast(table, {field.name: _with(field.type, _PLAIN, wide=False) for field in table.schema})


def wide(table: pa.Table) -> pa.Table:
    """``table`` with offsets of 64 bits in its columns of over 1 GiB of text or 2³⁰ steps; no text is copied.

    Example:
        >>> wide(pa.table({"x": ["a"]})).schema.field("x").type
        DataType(string)
    """
    much = (name for name in table.column_names if _holds_much(table.column(name)))
    return _cast(table, {name: _with(table.field(name).type, _WIDE, wide=True) for name in much})


def _cast(table: pa.Table, kinds: Mapping[str, pa.DataType]) -> pa.Table:
    fields = [field.with_type(kinds.get(field.name, field.type)) for field in table.schema]
    wanted = pa.schema(fields, table.schema.metadata)
    return table if wanted.equals(table.schema) else table.cast(wanted)


def _holds_much(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if 8 * column.nbytes <= _MUCH:  # a step takes a bit or more
        return False
    if pa.types.is_struct(kind):
        return any(map(_holds_much, column.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        steps = pc.list_flatten(column)
        return len(steps) > _MUCH or _holds_much(steps)
    return kind in _WIDE and column.nbytes > _MUCH


def _with(kind: pa.DataType, swaps: Mapping[pa.DataType, pa.DataType], *, wide: bool) -> pa.DataType:
    """``kind`` with other types in it by ``swaps``; ``wide``: lists have offsets of 64 bits too."""
    if pa.types.is_dictionary(kind):
        value = kind.value_type if wide else _with(kind.value_type, swaps, wide=wide)
        return pa.dictionary(kind.index_type, value, kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_with(field.type, swaps, wide=wide)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_item(kind, swaps, wide), kind.list_size)
    if pa.types.is_list(kind):
        return (pa.large_list if wide else pa.list_)(_item(kind, swaps, wide))
    if pa.types.is_large_list(kind):
        return pa.large_list(_item(kind, swaps, wide))
    return swaps.get(kind, kind)


def _item(kind: pa.DataType, swaps: Mapping[pa.DataType, pa.DataType], wide: bool) -> pa.Field:
    return kind.value_field.with_type(_with(kind.value_type, swaps, wide=wide))
