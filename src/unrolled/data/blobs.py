"""Columns whose cells are the bytes of files, such as recordings: plain, or an Arrow dictionary over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

__all__ = ["begins_as", "blobs", "is_binary"]


def is_binary(kind: pa.DataType) -> bool:
    """Whether cells of this Arrow type are bytes, or a dictionary's."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_binary(value) or pa.types.is_large_binary(value))


def begins_as(array: pa.ChunkedArray, what: Callable[[memoryview], bool]) -> bool:
    """Whether a column holds bytes, and the first of them are of the kind that ``what`` knows."""
    first = next((data for data in blobs(array) if data is not None), None) if is_binary(array.type) else None
    return first is not None and what(first)


def blobs(array: pa.ChunkedArray) -> Iterator[memoryview | None]:
    """The bytes of each cell of a column of which `is_binary` is true, or which is null; nothing is copied."""
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
