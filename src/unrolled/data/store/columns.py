"""Encoded columns that are written part by part, and mapped when they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unrolled.data.encodings._stored import Stored
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.store.arrays import ArrayWriter, StoredArray, damaged, map_array

__all__ = ["ColumnWriter", "StoredColumn", "map_column"]

_AT_ONCE = 1 << 20  # offsets that are checked together


class StoredColumn(Stored):
    """The files of a column: its values; with a time axis, where each row begins; and which numbers were missing."""

    values: StoredArray
    offsets: StoredArray | None = None
    missing: StoredArray | None = None


class ColumnWriter:
    """Appends the parts of one encoded column to files.

    Args:
        base: the beginning of their paths.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._values = ArrayWriter(_file(base, "values"))
        self._offsets: ArrayWriter | None = None
        self._missing: ArrayWriter | None = None
        self._inner: tuple[int, ...] = ()

    def append(self, part: Encoded) -> None:
        """Append the rows of ``part``."""
        begun, steps = self._values.rows, len(part.values)
        if part.offsets is not None:
            if self._offsets is None:
                self._offsets = ArrayWriter(_file(self._base, "offsets"))
                self._offsets.append(np.zeros(1, np.int64))
            self._offsets.append(part.offsets[1:].astype(np.int64) - int(part.offsets[0]) + begun)
            part_of = slice(int(part.offsets[0]), int(part.offsets[-1]))
            part, steps = Encoded(part.values[part_of], None, _cut(part.missing, part_of)), part_of.stop - part_of.start
        if part.missing is not None and self._missing is None:
            self._missing = ArrayWriter(_file(self._base, "missing"))
            for at in range(0, begun, _AT_ONCE):  # no number was missing in the parts before
                self._missing.append(np.zeros((min(_AT_ONCE, begun - at), *part.missing.shape[1:]), bool))
            self._inner = part.missing.shape[1:]
        if self._missing is not None:
            self._missing.append(np.zeros((steps, *self._inner), bool) if part.missing is None else part.missing)
        self._values.append(part.values)

    def finish(self) -> StoredColumn:
        """Flush the files to the disk, and say what they hold."""
        found = {
            name: None if writer is None else writer.finish()
            for name, writer in (("values", self._values), ("offsets", self._offsets), ("missing", self._missing))
        }
        return StoredColumn.model_validate(found)

    def close(self) -> None:
        """Close the files."""
        for writer in (self._values, self._offsets, self._missing):
            if writer is not None:
                writer.close()


def map_column(base: Path, stored: StoredColumn, rows: int) -> Encoded:
    """The column at ``base``, mapped.

    Args:
        base: the beginning of the paths of its files.
        stored: what they hold.
        rows: how many rows they must have.

    Raises:
        DataError: a file is missing or too short, or the files do not fit together.
    """
    values = map_array(_file(base, "values"), stored.values)
    offsets = missing = None
    if stored.offsets is not None:
        offsets = map_array(_file(base, "offsets"), stored.offsets)
        _check_offsets(base, offsets, len(values))
    if stored.missing is not None:
        missing = map_array(_file(base, "missing"), stored.missing)
        if missing.dtype != bool or len(missing) != len(values):
            raise damaged(base, "its files do not fit together")
    if (len(values) if offsets is None else len(offsets) - 1) != rows:
        raise damaged(base, f"it does not have {rows} rows")
    return Encoded(values, offsets, missing)


def _check_offsets(base: Path, offsets: np.ndarray, steps: int) -> None:
    """Refuse offsets that do not rise from 0 to ``steps``: whoever followed them would read another row."""
    whole = offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets) > 0
    if not whole or offsets[0] != 0 or offsets[-1] != steps:
        raise damaged(base, "its rows do not end where its values do")
    for at in range(0, len(offsets) - 1, _AT_ONCE):
        if (np.diff(offsets[at : at + _AT_ONCE + 1]) < 0).any():
            raise damaged(base, "its rows are not in order")


def _cut(missing: np.ndarray | None, part: slice) -> np.ndarray | None:
    return None if missing is None else missing[part]


def _file(base: Path, what: str) -> Path:
    return base.with_name(f"{base.name}-{what}.bin")
