"""Columns whose cells are the bytes of files, such as recordings; plain binary or dictionary-encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

__all__ = ["LABELS", "NAMES", "begins_as", "blobs", "cut", "is_binary", "one_file", "with_names"]

NAMES = b"names"  # in a field's metadata: the column names the files, so nothing is learned from it
LABELS = b"labels"  # in a field's metadata: the labels are the names of the files' folders


def one_file(name: str, column: str, data: pa.Buffer, sizes: Sequence[int] | None = None) -> pa.Table:
    """A table with one row: the file's name and, in ``column``, its bytes or a list of parts of these ``sizes``."""
    cells = cut(data, [data.size] if sizes is None else sizes)
    if sizes is not None:
        cells = pa.LargeListArray.from_arrays(pa.array([0, len(sizes)], pa.int64()), cells)
    return with_names([name], column, cells)


def with_names(names: Sequence[str], column: str, cells: pa.Array) -> pa.Table:
    """A table of the files' ``names`` and, in ``column``, their ``cells``."""
    fields = [pa.field("name", pa.string(), metadata={NAMES: b"files"}), pa.field(column, cells.type)]
    return pa.table([pa.array(names, pa.string()), cells], pa.schema(fields))


def cut(data: pa.Buffer, sizes: Sequence[int]) -> pa.Array:
    """Cells of these ``sizes`` in bytes, one after the other in ``data``; nothing is copied."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), [None, pa.py_buffer(offsets), data])


def is_binary(kind: pa.DataType) -> bool:
    """Whether cells of this Arrow type are bytes, dictionary-encoded or not."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_binary(value) or pa.types.is_large_binary(value))


def begins_as(array: pa.ChunkedArray, what: Callable[[memoryview], bool]) -> bool:
    """Whether a column holds bytes and its first cell satisfies ``what``."""
    first = next((data for data in blobs(array) if data is not None), None) if is_binary(array.type) else None
    return first is not None and what(first)


def blobs(array: pa.ChunkedArray) -> Iterator[memoryview | None]:
    """The bytes of each cell of a binary or null column (see `is_binary`); nothing is copied."""
    for chunk in array.chunks:
        if pa.types.is_null(chunk.type):
            yield from [None] * len(chunk)
        elif pa.types.is_dictionary(chunk.type):
            cells = chunk.dictionary
            for index in chunk.indices.to_pylist():
                yield None if index is None else _view(cells[index])
        else:
            yield from (_view(cell) for cell in chunk)


def _view(cell: pa.Scalar) -> memoryview | None:
    return memoryview(cell.as_buffer()) if cell.is_valid else None
