"""A folder as one source of data: its regular files, in one order on every machine; what of them cannot be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from unrolled.errors import DataError

__all__ = ["check_some", "files_in", "listed"]

_LISTED = 20  # of the files that are left out


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


def check_some(folder: Path, broken: Sequence[str], files: int, what: str) -> list[str]:
    """What a user should be told of the ``broken`` ones among so many files, which are left out.

    Args:
        folder: where they lie.
        broken: why each of them cannot be read.
        files: how many there are.
        what: what they are, for the error.

    Raises:
        DataError: it is all of them.
    """
    if len(broken) == files:
        message = f"not one of its {files} {what} files can be read; the first: {broken[0]}"
        raise DataError(message, file=str(folder))
    return [f"{len(broken)} of {files} files are left out: {listed(broken)}"] if broken else []


def listed(texts: Sequence[str]) -> str:
    """The first twenty, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(["a"] * 22)[-15:]
        ('a; b', '; a; and 2 more')
    """
    rest = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + rest
