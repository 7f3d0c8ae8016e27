"""NumPy's own files, ``.npy`` and ``.npz``; nothing in them is unpickled, so that they cannot run a program."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import open_regular
from unrolled.data.io.unpacking import Beginning, check_archive, contents
from unrolled.data.readers._array_columns import LONE, as_one_row, as_table
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError, reason_of

__all__ = ["read_arrays"]

_MAGIC = b"\x93NUMPY"


def read_arrays(path: Path, _: DataConfig) -> pa.Table:
    """A row for each entry of the first axis: values of (N,), lists of (N, T), or steps of channels of (N, T, C).

    The array of an ``.npy`` file is the column ``sequence``; each array of an ``.npz`` file is a column. A lone vector
    of numbers is one long sequence.

    Raises:
        DataError: the file is missing, empty, damaged, or holds pickled objects; an array has more than three axes, or
            arrays differ in length.
    """
    return as_table(_arrays(path), str(path))


def read_one(path: Path, _: DataConfig) -> pa.Table:
    """One row, for a file that is one example: the first axis of each array counts steps, the second channels.

    Raises:
        DataError: as in `read_arrays`.
    """
    return as_one_row(_arrays(path), str(path))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with open_regular(path) as file:
        packed = file.read(4).startswith(b"PK")
    if not packed:
        return {LONE: _array(contents(path), str(path))}
    check_archive(path)
    found = {}
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    found[PurePosixPath(name).name.removesuffix(".npy")] = _array(archive.read(name), str(path), name)
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
            raise DataError(f"is not a whole .npz file: {str(error)[:100]}", file=str(path)) from None
    return found


def _array(data: bytes | pa.Buffer, origin: str, name: str | None = None) -> np.ndarray:
    if bytes(data[: min(6, len(data))]) != _MAGIC:
        raise DataError("is not a NumPy array", file=origin, column=name)
    try:
        array: np.ndarray = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a damaged header raises many kinds of errors
        if "Object arrays" in str(error):
            hint = "save arrays of numbers or texts; rows of different lengths can be saved as Parquet or JSON Lines"
            raise DataError(
                "holds pickled objects, which could run a program", file=origin, column=name, hint=hint
            ) from None
        reason = reason_of(error, 100)
        raise DataError(f"is not a whole NumPy array: {reason}", file=origin, column=name) from None
    return array


def _recognises(beginning: Beginning) -> int:
    inside = bool(beginning.members) and all(name.endswith(".npy") for name in beginning.members)
    return 100 if inside or beginning.data.startswith(_MAGIC) else 0


MEMBER = Reader((".npy", ".npz"), read_arrays, recognises=_recognises, whole=read_one, labelled=True)
