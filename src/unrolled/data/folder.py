"""A folder as one source of data: its regular files, in one order on every machine."""

from __future__ import annotations

import os
from pathlib import Path

from unrolled.errors import DataError

__all__ = ["files_in"]


def files_in(folder: Path) -> list[Path]:
    """Every regular file below ``folder``, sorted by relative name, but hidden ones and those behind a linked folder.

    Raises:
        DataError: there is no file, or a folder cannot be read.
    """

    def stop(error: OSError) -> None:
        raise DataError(f"cannot be read: {error.strerror}", file=str(error.filename))

    found = []
    for place, folders, names in os.walk(folder, onerror=stop, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
    if not found:
        raise DataError("is a folder without files", file=str(folder))
    return sorted(found, key=lambda path: path.relative_to(folder).parts)
