"""Tables that are made while they are read, batch by batch: DuckDB relations, Polars lazy frames, Arrow's readers.

They may be larger than memory: a trained model reads them in blocks, and training from a temporary file that is mapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import Spool
from unrolled.data.io.views import without_views
from unrolled.data.readers._listcells import with_lists
from unrolled.errors import IN_MEMORY, DataError, UnrolledError, reason_of
from unrolled.storage.directories import space_errors

__all__ = ["is_stream", "stream_blocks", "streamed_table"]

_HELD = 64 << 20  # bytes up to which a table stays in memory
_BLOCK = 16 << 20  # bytes that are written together
_KNOWS = ("nbytes", "estimated_size", "iloc")  # what tables have that are in memory already
_COLUMNS = ("schema", "columns", "column_names")


def is_stream(source: Any) -> bool:
    """Whether ``source`` makes its rows while they are read; a table that is in memory already does not.

    Example:
        >>> table = pa.table({"x": [1]})
        >>> is_stream(table), is_stream(table.to_reader())
        (False, True)
    """
    if hasattr(source, "collect_batches"):  # a lazy frame of Polars
        return True
    table = hasattr(source, "__arrow_c_stream__") and any(hasattr(source, name) for name in _COLUMNS)
    return table and not any(hasattr(source, name) for name in _KNOWS)


def stream_blocks(source: Any, config: DataConfig, size: int) -> Iterator[pa.Table]:
    """The rows of ``source`` in order, in tables of about ``size`` bytes; texts are parsed as lists as in the first.

    Args:
        source: for which `is_stream` is true.
        config: how it is read.
        size: in bytes.

    Raises:
        DataError: what makes the rows fails.
    """
    lists: set[str] | None = None
    for block in _blocks(source, size):
        if lists is None:
            found = with_lists(block, config)
            lists = {name for name in found.column_names if found.column(name) is not block.column(name)}
            lists = {name for name in lists if found.field(name).type != block.field(name).type}
            yield found
            continue
        parsed = with_lists(block.select([name for name in block.column_names if name in lists]), config)
        for name in parsed.column_names:
            block = block.set_column(block.column_names.index(name), name, parsed.column(name))
        yield block


def streamed_table(source: Any) -> pa.Table:
    """All rows of ``source``; a large table is mapped from a temporary file that ends with the process.

    Raises:
        DataError: what makes the rows fails.
        SpaceError: the temporary file does not fit on the disk.
    """
    blocks, held = _blocks(source, _BLOCK), list[pa.Table]()
    for block in blocks:
        held.append(block)
        if sum(one.nbytes for one in held) > _HELD:
            return _mapped(chain(held, blocks), held[0].schema)
    return pa.concat_tables(held)


def _blocks(source: Any, size: int) -> Iterator[pa.Table]:
    """At least one table."""
    held: list[pa.Table] = []
    total, some = 0, False
    try:
        for table in _tables(source):
            held.append(table)
            total += table.nbytes
            if total >= size and any(map(len, held)):
                yield without_views(pa.concat_tables(held))
                some, total = True, 0
                held.clear()
    except (UnrolledError, GeneratorExit):
        raise
    except Exception as error:  # of any engine
        raise DataError(f"cannot be read: {reason_of(error)}", file=IN_MEMORY) from None
    if any(map(len, held)) or not some:
        yield without_views(pa.concat_tables(held))


def _tables(source: Any) -> Iterator[pa.Table]:
    """A table without rows, and one for each batch."""
    if hasattr(source, "collect_batches"):
        yield pa.table(source.head(0).collect())
        for frame in source.collect_batches():
            yield pa.table(frame)
        return
    reader = source if isinstance(source, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(source)
    yield reader.schema.empty_table()
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _mapped(tables: Iterator[pa.Table], schema: pa.Schema) -> pa.Table:
    with Spool() as spool:
        with space_errors("temporary file"), spool.sink() as sink, pa.ipc.new_stream(sink, schema) as writer:
            for table in tables:
                writer.write_table(table)
        buffer = spool.buffer()
    return pa.ipc.open_stream(buffer).read_all()
