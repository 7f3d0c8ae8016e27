"""Arrow's views of texts and bytes, which few of its functions take, as plain ones; polars has them in its frames."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["without_views"]


def without_views(table: pa.Table) -> pa.Table:
    """``table`` with plain texts and bytes; not copied where it has no views.

    Example:
        >>> without_views(pa.table({"x": pa.array(["a"], pa.string_view())})).schema.field("x").type
        DataType(large_string)
    """
    wanted = pa.schema([field.with_type(_plain(field.type)) for field in table.schema], table.schema.metadata)
    return table if wanted.equals(table.schema) else table.cast(wanted)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _plain(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_item(kind), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(_item(kind))
    if pa.types.is_large_list(kind):
        return pa.large_list(_item(kind))
    return kind


def _item(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_type(_plain(kind.value_type))
