"""Rows of a large table, dealt to files by their key, so that the rows of a sequence can be gathered file by file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyarrow as pa

from unrolled.data.io.mapped import free_memory
from unrolled.data.tables.keys import key_hashes
from unrolled.errors import SpaceError, named
from unrolled.storage.atomic import create

__all__ = ["Partitions"]

_MOST = 256  # files that are open at a time
_COPIES = 4  # of the rows of a file, in memory while its sequences are gathered


class Partitions:
    """Files of rows; all rows with the same key are in one file, in their order. A context manager that closes them.

    Args:
        folder: an empty folder for them.
        by: the column of the keys.
        count: how many files, ≥ 1; at most 256 are used.
    """

    def __init__(self, folder: Path, by: str, count: int) -> None:
        self._folder, self._by, self._count = folder, by, min(count, _MOST)
        self._writers: dict[int, tuple[pa.ipc.RecordBatchStreamWriter, BinaryIO]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _, file in self._writers.values():
            with contextlib.suppress(OSError):
                file.close()

    def add(self, table: pa.Table) -> None:
        """Deal the rows of ``table``, which has the columns of those before."""
        parts = (key_hashes(table.column(self._by)) % np.uint64(self._count)).astype(np.uint16)
        if self._count > 1:
            table = table.take(pa.array(np.argsort(parts, kind="stable")))
        counts = np.bincount(parts, minlength=self._count)
        for part in np.flatnonzero(counts).tolist():
            if part not in self._writers:
                file = create(self._path(part))
                self._writers[part] = pa.ipc.new_stream(file, table.schema), file
            self._writers[part][0].write_table(table.slice(int(counts[:part].sum()), int(counts[part])))

    def gather(self, group: Callable[[pa.Table], pa.Table]) -> None:
        """Replace the rows of each file by the sequences that ``group`` makes of them.

        Raises:
            SpaceError: the rows of a file, such as those of one long sequence, do not fit into memory.
        """
        for writer, file in self._writers.values():
            writer.close()
            file.close()
        for part in sorted(self._writers):
            path = self._path(part)
            self._check(path)
            grouped = group(_mapped(path)).combine_chunks()
            with create(path.with_suffix(".grouped")) as file, pa.ipc.new_stream(file, grouped.schema) as writer:
                writer.write_table(grouped)
            del grouped
            path.unlink()

    def __iter__(self) -> Iterator[pa.Table]:
        """The sequences of each file, mapped, once they are gathered."""
        for part in sorted(self._writers):
            yield _mapped(self._path(part).with_suffix(".grouped"))

    def _check(self, path: Path) -> None:
        size, free = path.stat().st_size, free_memory()
        if free is not None and _COPIES * size > free:
            raise SpaceError(
                f"the rows of some sequences take {size / 1e9:.1f} GB, and gathering them {_COPIES} times as much, but "
                f"{free / 1e9:.1f} GB of memory are free: name sequences with fewer rows with {named('by')}"
            )

    def _path(self, part: int) -> Path:
        return self._folder / f"{part}.arrow"


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
