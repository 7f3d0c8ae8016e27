"""MATLAB's .mat files, version 5 and, as HDF5, version 7.3: each variable is a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning, contents
from unrolled.data.readers._array_columns import as_one_row, as_table
from unrolled.data.readers._hdf5 import MAGIC, read_datasets
from unrolled.data.readers._mat5 import read_matrices
from unrolled.data.readers.reader import Reader

__all__ = ["read_matlab"]

_HEADER = b"MATLAB 5.0 MAT-file"
_USER_BLOCK = 512  # bytes of text before the HDF5 of version 7.3


def read_matlab(path: Path, _: DataConfig) -> pa.Table:
    """A column for each variable: numbers, texts, or cells of arrays that differ in length. Vectors may lie either way.

    Raises:
        DataError: the file is missing, empty, damaged or of another version; or as in
            `unrolled.data.readers._array_columns.as_table`.
        MissingExtra: the version is 7.3, and h5py is not installed.
    """
    return as_table({name: _upright(array) for name, array in _variables(path).items()}, str(path))


def read_one(path: Path, _: DataConfig) -> pa.Table:
    """One row, for a file that is one example: the first axis of each variable counts steps, the second channels.

    Raises:
        DataError: as in `read_matlab`.
        MissingExtra: as in `read_matlab`.
    """
    return as_one_row({name: _upright(array) for name, array in _variables(path).items()}, str(path))


def _variables(path: Path) -> dict[str, np.ndarray]:
    data = contents(path)
    if data.size > _USER_BLOCK + len(MAGIC) and bytes(data[_USER_BLOCK : _USER_BLOCK + len(MAGIC)]) == MAGIC:
        return {name: array.T for name, array in read_datasets(data, str(path)).items()}  # kept column by column
    return read_matrices(memoryview(data), str(path))


def _upright(array: np.ndarray) -> np.ndarray:
    """A vector without its second axis: MATLAB has no vectors, but (1, N) and (N, 1) matrices.

    Cells are vectors only if all of them are: beside (T, C) cells, (1, C) is a series of one step.
    """
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.dtype.kind == "O" and all(1 in cell.shape for cell in array.reshape(-1)):
        held = np.empty(array.size, object)
        for place, cell in enumerate(array.reshape(-1)):
            held[place] = cell.reshape(-1)
        return held
    return array


def _recognises(beginning: Beginning) -> int:
    return 100 if beginning.data.startswith((_HEADER, b"MATLAB 7.3 MAT-file")) else 0


MEMBER = Reader((".mat",), read_matlab, recognises=_recognises, whole=read_one, labelled=True)
