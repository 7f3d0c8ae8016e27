"""The data sets at the root of an HDF5 file as NumPy arrays."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pyarrow as pa

from unrolled.errors import DataError, MissingExtra, reason_of

__all__ = ["MAGIC", "read_datasets"]

MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST_BYTES = 1 << 33  # of all data sets together, unpacked


def read_datasets(data: pa.Buffer, origin: str) -> dict[str, np.ndarray]:
    """Name -> array, for each data set at the root of the file.

    Links to other files are not followed.

    Raises:
        DataError: the file is damaged, has no data set at its root, or unpacks to too much.
        MissingExtra: h5py is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtra("h5py", "science", "an HDF5 file")
    import h5py

    found: dict[str, np.ndarray] = {}
    groups: list[str] = []
    size = 0
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            for name in file:
                if not isinstance(file.get(name, getlink=True), h5py.HardLink) or name.startswith("#"):
                    continue
                item = file[name]
                if not isinstance(item, h5py.Dataset):
                    groups.append(name)
                    continue
                if item.external:
                    raise DataError("keeps its values in another file", file=origin, column=name)
                if h5py.check_ref_dtype(item.dtype) is not None:
                    hint = "in MATLAB save it with -v7, or as one matrix"
                    raise DataError("holds references, such as cells of MATLAB", file=origin, column=name, hint=hint)
                size += item.size * item.dtype.itemsize
                if size > _MOST_BYTES:
                    raise DataError(f"unpacks to more than {_MOST_BYTES >> 30} GiB, the limit", file=origin)
                found[name] = np.asarray(item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()])
    except DataError:
        raise
    except Exception as error:  # damage raises many kinds of errors
        reason = reason_of(error, 100)
        raise DataError(f"is not an HDF5 file that can be read: {reason}", file=origin) from None
    if not found:
        inside = f"only the groups {', '.join(groups[:5])}" if groups else "nothing"
        raise DataError(f"has {inside} at its root", file=origin, hint="save the arrays of one group as .npz")
    return {name: array.astype(np.str_) if array.dtype.kind == "O" else array for name, array in found.items()}
