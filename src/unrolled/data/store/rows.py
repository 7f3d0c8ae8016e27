"""Rows as they were read, written part by part to an Arrow file that is mapped when it is read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pyarrow as pa

from unrolled.data.encodings._stored import Stored
from unrolled.data.store.arrays import ArrayWriter, StoredArray, damaged, map_array, sized
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import Origin
from unrolled.storage.atomic import create

__all__ = ["RowsWriter", "StoredRows", "map_rows"]


class StoredRows(Stored):
    """What was kept of some sequences.

    Attributes:
        rows, bytes: of the table's file.
        name, files: their origin.
        kinds, dropped, remarks, reader: as in `Sequences`.
        first, places: the arrays ``first`` and ``rows`` of `Sequences`, if there are any.
    """

    rows: int
    bytes: int
    name: str
    files: list[tuple[str, int]]
    kinds: dict[str, str]
    dropped: dict[str, str]
    remarks: list[str]
    reader: str
    first: StoredArray | None = None
    places: StoredArray | None = None


class RowsWriter:
    """Appends sequences to files.

    Args:
        base: the beginning of their paths.
        cells: whether the table is kept, or only what its columns are and where its rows stood.
    """

    def __init__(self, base: Path, *, cells: bool = True) -> None:
        self._base, self._cells = base, cells
        self._file = create(_file(base))
        self._table: pa.ipc.RecordBatchStreamWriter | None = None
        self._arrays: dict[str, ArrayWriter] = {}
        self._rows = 0
        self._like: Sequences | None = None

    def append(self, part: Sequences) -> None:
        """Append the rows of ``part``; what is true of all of them is taken from the first part."""
        if self._table is None or self._like is None:
            self._table, self._like = pa.ipc.new_stream(self._file, part.table.schema), part
        if self._cells:
            self._table.write_table(part.table)
            self._rows += len(part)
        for name, values in (("first", part.first), ("places", part.rows)):
            if values is not None:
                if name not in self._arrays:
                    self._arrays[name] = ArrayWriter(_array(self._base, name))
                self._arrays[name].append(values.astype("int64"))

    def finish(self) -> StoredRows:
        """Flush the files to the disk, and say what they hold."""
        assert self._table is not None, "nothing was appended"
        assert self._like is not None
        self._table.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        like = self._like
        found = {
            "rows": self._rows,
            "bytes": self._file.tell(),
            "name": like.origin.name,
            "files": list(like.origin.files),
            "kinds": dict(like.kinds),
            "dropped": dict(like.dropped),
            "remarks": list(like.remarks),
            "reader": like.reader,
            **{name: writer.finish() for name, writer in self._arrays.items()},
        }
        self._file.close()
        return StoredRows.model_validate(found)

    def close(self) -> None:
        """Close the files; what could not be written any more is not wanted any more."""
        with contextlib.suppress(OSError):
            self._file.close()
        for writer in self._arrays.values():
            writer.close()


def map_rows(base: Path, stored: StoredRows) -> Sequences:
    """The sequences at ``base``, mapped.

    Raises:
        DataError: a file is missing, too short or damaged.
    """
    sized(_file(base), stored.bytes)
    try:
        table = pa.ipc.open_stream(pa.memory_map(str(_file(base)))).read_all()
        table.validate(full=True)  # following a wrong offset would end the process
    except (pa.ArrowException, OSError) as error:
        raise damaged(_file(base), str(error).splitlines()[0]) from None
    arrays = {"first": stored.first, "places": stored.places}
    mapped = {name: None if one is None else map_array(_array(base, name), one) for name, one in arrays.items()}
    lengths = {one.shape for one in mapped.values() if one is not None}
    if table.num_rows != stored.rows or not lengths <= ({(stored.rows,)} if stored.rows else lengths):
        raise damaged(_file(base), f"it does not have {stored.rows} rows")
    if not {*stored.kinds} <= {*table.column_names}:
        raise damaged(_file(base), "a column is missing")
    return Sequences(
        table,
        dict(stored.kinds),
        Origin(stored.name, tuple(stored.files)),
        first=mapped["first"],
        rows=mapped["places"],
        dropped=dict(stored.dropped),
        remarks=tuple(stored.remarks),
        reader=stored.reader,
    )


def _file(base: Path) -> Path:
    return base.with_name(f"{base.name}.arrow")


def _array(base: Path, name: str) -> Path:
    return base.with_name(f"{base.name}-{name}.bin")
