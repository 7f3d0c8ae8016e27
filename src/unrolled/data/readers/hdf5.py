"""HDF5 files: each data set at the root is a column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning, contents
from unrolled.data.readers._array_columns import as_one_row, as_table
from unrolled.data.readers._hdf5 import MAGIC, read_datasets
from unrolled.data.readers.reader import Reader

__all__ = ["read_hdf5"]


def read_hdf5(path: Path, _: DataConfig) -> pa.Table:
    """A row for each entry of the first axis, as `unrolled.data.readers.arrays.read_arrays` has it.

    Raises:
        DataError: the file is missing, empty or damaged, has no data set at its root, or as in
            `unrolled.data.readers._array_columns.as_table`.
        MissingExtra: h5py is not installed.
    """
    return as_table(read_datasets(contents(path), str(path)), str(path))


def read_one(path: Path, _: DataConfig) -> pa.Table:
    """One row, for a file that is one example: the first axis of each data set counts steps, the second channels.

    Raises:
        DataError: as in `read_hdf5`.
        MissingExtra: as in `read_hdf5`.
    """
    return as_one_row(read_datasets(contents(path), str(path)), str(path))


def _recognises(beginning: Beginning) -> int:
    return 100 if beginning.data.startswith(MAGIC) else 0


MEMBER = Reader((".h5", ".hdf5", ".hdf", ".he5"), read_hdf5, recognises=_recognises, whole=read_one, labelled=True)
