"""The moves from which all-or-nothing writing is made: a hidden name, a lock, a flush, a rename, a clearing up.

Other modules write through `unrolled.storage.directories`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["beside", "create", "discard", "fsync", "locked", "put_in_place", "set_aside", "sweep"]


def beside(final: Path) -> Path:
    """A hidden name in the same folder, so that the rename to ``final`` stays on one disk."""
    return final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")


def create(path: Path) -> BinaryIO:
    """Open a new file for writing."""
    # O_EXCL: nobody's file or link is ever written through; 0o666: the user's umask decides, as for any file.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")


def fsync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(path: Path) -> None:
    """Remove a file, a link or a directory if it is there and can be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock that the system drops when the process dies, however it dies: it tells the living from the dead."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def put_in_place(temporary: Path, final: Path) -> None:
    """Give ``temporary`` the name ``final``; a directory that was there is gone, or is ``temporary`` now."""
    if not os.path.lexists(final):
        temporary.rename(final)
    elif not _exchange(temporary, final):
        aside = set_aside(final)
        try:
            temporary.rename(final)
        except BaseException:
            aside.rename(final)
            raise
        discard(aside)


def set_aside(final: Path) -> Path:
    """Give ``final`` a hidden name; until it is discarded, `sweep` brings it back if ``final`` is not there."""
    aside = final.with_name(f".{final.name}.{secrets.token_hex(4)}.old")
    final.rename(aside)
    return aside


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step, so that there is no moment without either; False where the system cannot."""
    at_cwd, exchange = -100, 2
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # Linux
    return rename is not None and rename(at_cwd, os.fsencode(first), at_cwd, os.fsencode(second), exchange) == 0


def sweep(folder: Path, name: str | None = None) -> None:
    """Clear away what killed writers left in ``folder``, and undo a replacement that died half-way.

    Args:
        folder: where to look; it may be absent.
        name: only what was to become this name; ``None``: whatever it was to become.
    """
    pattern = re.compile(rf"\.({re.escape(name) if name else '.+'})\.[0-9a-f]{{8}}\.(partial|old)")
    found = [pattern.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    for match in filter(None, found):
        left, final = folder / match[0], folder / match[1]
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                if match[2] == "old" and not os.path.lexists(final):
                    left.rename(final)
                else:
                    discard(left)
            finally:
                os.close(descriptor)
