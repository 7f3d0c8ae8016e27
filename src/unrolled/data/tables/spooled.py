"""The contents of files as cells of a column: bytes, or lists of parts such as frames, spooled to disk and mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import has_time
from unrolled.data.io.blobs import cut
from unrolled.data.io.mapped import Spool
from unrolled.errors import DataError

__all__ = ["ReadOne", "Spooled", "spooled"]

ReadOne = Callable[[Path, DataConfig], pa.Table]


@dataclass(frozen=True, slots=True)
class Spooled:
    """The files that can be read, and a cell for each.

    Attributes:
        files: the files.
        cells: their bytes, or lists of parts if they are ``timed``.
        timed: whether a file has a time axis.
        broken: why the others cannot be read.
    """

    files: list[Path]
    cells: pa.Array
    timed: bool
    broken: dict[Path, DataError]


def spooled(files: Sequence[Path], column: str, read_one: ReadOne, config: DataConfig) -> Spooled:
    """Read each of the ``files`` with ``read_one``, which puts its contents into ``column``."""
    good: list[Path] = []
    broken: dict[Path, DataError] = {}
    sizes: list[int] = []
    ends = [0]
    timed = False
    with Spool() as spool:
        for file in files:
            try:
                array = read_one(file, config).column(column)
            except DataError as error:
                broken[file] = error
                continue
            timed = has_time(array.type)
            for part in array[0].values if timed else array:
                data = memoryview(part.as_buffer())
                spool.write(data)
                sizes.append(data.nbytes)
            ends.append(len(sizes))
            good.append(file)
        cells = cut(spool.buffer(), sizes)
    if timed:
        cells = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), cells)
    return Spooled(good, cells, timed, broken)
