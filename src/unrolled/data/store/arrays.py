"""Arrays that are written part by part to a file, and mapped when they are read."""

from __future__ import annotations

import contextlib
import math
import os
import stat
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unrolled.data.encodings._stored import Stored
from unrolled.errors import DataError
from unrolled.storage.atomic import create

__all__ = ["ArrayWriter", "StoredArray", "damaged", "map_array", "sized"]

_Name = Literal["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


class StoredArray(Stored):
    """What an array's file holds: numbers of one type, end to end."""

    dtype: _Name
    shape: list[int] = Field(min_length=1, max_length=4)

    @property
    def bytes(self) -> int:
        """The size of the file; negative if the shape is not possible."""
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return size if min(self.shape) >= 0 else -1


class ArrayWriter:
    """Appends arrays of one type, alike in all axes but the first, to a new file.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = create(path)
        self._rows = 0
        self._alike: tuple[np.dtype[np.generic], tuple[int, ...]] | None = None

    @property
    def rows(self) -> int:
        """What was written so far."""
        return self._rows

    def append(self, values: np.ndarray) -> None:
        """Append ``values``, whose rows are those of the parts before in every respect."""
        alike = (values.dtype, values.shape[1:])
        assert self._alike in (None, alike), (self._alike, alike)
        self._alike = alike
        self._file.write(np.ascontiguousarray(values).data)
        self._rows += len(values)

    def finish(self) -> StoredArray:
        """Flush the file to the disk, and say what it holds."""
        assert self._alike is not None, "nothing was appended"
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        dtype, inner = self._alike
        return StoredArray.model_validate({"dtype": dtype.name, "shape": [self._rows, *inner]})

    def close(self) -> None:
        """Close the file; what could not be written any more is not wanted any more."""
        with contextlib.suppress(OSError):
            self._file.close()


def map_array(path: Path, stored: StoredArray) -> np.ndarray:
    """The array in ``path``, mapped read-only: its pages take no memory of the process.

    Raises:
        DataError: the file is missing, or is not as long as the array.
    """
    sized(path, stored.bytes)
    if not stored.bytes:
        return np.zeros(stored.shape, stored.dtype)
    return np.memmap(path, stored.dtype, mode="r", shape=tuple(stored.shape)).view(np.ndarray)


def sized(path: Path, size: int) -> None:
    """Refuse a file of another size.

    Raises:
        DataError: it has one, or is no regular file.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise damaged(path, error.strerror or "cannot be read") from None
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        raise damaged(path, f"has {found.st_size} bytes, but {size} were written")


def damaged(path: Path, why: str) -> DataError:
    """The error about prepared data that is not as it was written."""
    return DataError(f"this prepared data is damaged: {why}", file=str(path), hint="remove its folder")
