"""Tables in blocks, so that a file of any size is read in little memory, with the types that the whole file has.

Parquet and Arrow's files are made of blocks. Of a text, the types of all blocks are looked at before the first is
given: what is a whole number in one block may be a decimal number or a word in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings.encoding import has_time
from unrolled.errors import DataError

__all__ = ["Parts", "arrow_blocks", "arrow_table", "parquet_blocks", "text_blocks"]

_MOST_ROWS = 1 << 16
_MOST_KNOWN = 1_000  # texts


class Parts(Protocol):
    """The parts of a text table, each of which can be read by itself."""

    def __len__(self) -> int: ...

    def read(self, index: int, texts: Sequence[str] = ()) -> pa.Table:
        """A part, with the columns ``texts`` as they are written."""

    def differ(self, index: int, column: str, kinds: tuple[pa.DataType, pa.DataType]) -> None:
        """Raise a `DataError` if the types of a column, before and in this part, do not go together even as texts."""

    def whole(self) -> pa.Table:
        """The table as one."""

    def over(self, data: pa.Buffer) -> Self:
        """The same parts of the same text in another buffer."""


def parquet_blocks(data: pa.Buffer, size: int) -> Iterator[pa.Table]:
    """The rows of a Parquet file in blocks of about ``size`` bytes."""
    file = pa.parquet.ParquetFile(pa.BufferReader(data))
    groups = [file.metadata.row_group(index).total_byte_size for index in range(file.metadata.num_row_groups)]
    rows = max(1, min(_MOST_ROWS, size * max(file.metadata.num_rows, 1) // max(sum(groups), 1)))
    if not file.metadata.num_rows:
        yield file.read()
    for batch in file.iter_batches(batch_size=rows):
        yield pa.Table.from_batches([batch])


def arrow_table(data: pa.Buffer) -> pa.Table:
    """The table in an Arrow file or stream; nothing is copied."""
    if bytes(data[: min(6, data.size)]) == b"ARROW1":
        return pa.ipc.open_file(pa.BufferReader(data)).read_all()
    return pa.ipc.open_stream(pa.BufferReader(data)).read_all()


def arrow_blocks(data: pa.Buffer, size: int) -> Iterator[pa.Table]:
    """The rows of an Arrow file or stream in blocks of about ``size`` bytes; they are slices of the mapped file."""
    table = arrow_table(data)
    rows = max(1, min(_MOST_ROWS, size * max(table.num_rows, 1) // max(table.nbytes, 1)))
    for start in range(0, max(table.num_rows, 1), rows):
        yield table.slice(start, rows)


def text_blocks(key: tuple[object, ...], data: pa.Buffer, cut: Callable[[], Parts]) -> Iterator[pa.Table]:
    """The tables of the parts of a text, with the columns and types that all of them together have.

    Where a part cannot be read by itself, the whole is read, which may show what is meant. Who reads a text again need
    not look at all parts before the first is given.

    Args:
        key: tells the text and how it is read from others.
        data: the text.
        cut: cuts it into parts.

    Raises:
        DataError: the table cannot be read, or the types of a column do not go together.
    """
    parts, found = _known.get(key, (None, None))
    if parts is None or found is None:
        parts = cut()
        try:
            found = _joint(parts) if len(parts) > 1 else None
        except DataError:
            found = None
        if found is None:
            yield parts.whole()
            return
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = (parts.over(pa.allocate_buffer(0)), found)
    parts = parts.over(data)
    for index in range(len(parts)):
        yield found.fitted(parts.read(index, found.texts))


_known: dict[tuple[object, ...], tuple[Parts, _Joint]] = {}  # of texts that were read: their parts without the text


def _joint(parts: Parts) -> _Joint:
    found = _Joint(parts.read(0).schema)
    for index in range(1, len(parts)):
        found = found.with_part(parts.read(index).schema, partial(parts.differ, index))
    return found


@dataclass(frozen=True, slots=True)
class _Joint:
    """The columns of several parts.

    Attributes:
        schema: their types, with the metadata of the first part.
        texts: the columns that are read as they are written.
    """

    schema: pa.Schema
    texts: tuple[str, ...] = ()

    def with_part(self, part: pa.Schema, differ: Callable[[str, tuple[pa.DataType, pa.DataType]], None]) -> _Joint:
        """The columns of one part more; ``differ`` is asked where types do not go together."""
        fields, texts = {field.name: field for field in self.schema}, [*self.texts]
        for field in part:
            before = fields.get(field.name, field)
            kind = before.type if field.name in texts else _common(before.type, field.type)
            if kind is None:
                differ(field.name, (before.type, field.type))
                kind = pa.large_string()
                texts.append(field.name)
            fields[field.name] = before.with_type(kind)
        return _Joint(pa.schema([*fields.values()], self.schema.metadata), tuple(texts))

    def fitted(self, table: pa.Table) -> pa.Table:
        """A part with these columns."""
        columns = [
            _as(table.column(field.name), field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in self.schema
        ]
        return pa.table(columns, schema=self.schema)


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type of a column whose parts have these types; ``None`` if only a text holds both."""
    if is_text(one) and is_text(other):
        return one if one == other else pa.large_string()
    if has_time(one) != has_time(other) and not pa.types.is_null(one) and not pa.types.is_null(other):
        lists, single = (one, other) if has_time(one) else (other, one)  # where each cell of a part is a list of one
        value = _common(lists.value_type, single)
        return None if value is None or has_time(single) or is_text(value) else pa.large_list(value)
    try:
        fields = [pa.schema([pa.field("x", kind)]) for kind in (one, other)]
        return pa.unify_schemas(fields, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if has_time(kind) and not has_time(column.type) and not pa.types.is_null(column.type):
        cells = column.cast(kind.value_type).combine_chunks()
        offsets = pa.array(range(len(cells) + 1), pa.int64())
        column = pa.chunked_array([pa.LargeListArray.from_arrays(offsets, cells, mask=cells.is_null())])
    return column.cast(kind)
