"""The building blocks of atomic writing: a hidden name, a lock, a flush to disk, a rename and a clean-up.

Other modules write through `unrolled.storage.directories`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "WITHOUT_LOCKS",
    "beside",
    "create",
    "discard",
    "fsync",
    "in_turn",
    "locked",
    "put_in_place",
    "set_aside",
    "sweep",
]

WITHOUT_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}  # what a file system without them says


def beside(final: Path) -> Path:
    """A hidden name in the folder of ``final``, so that the later rename stays on one disk."""
    return final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")


def create(path: Path) -> BinaryIO:
    """Open a new file for writing."""
    # O_EXCL never writes through an existing file or link; 0o666 leaves the permissions to the user's umask.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")


def fsync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(path: Path) -> None:
    """Remove a file, link or directory; do nothing if it is missing or cannot be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder`` inside the block. The system releases the lock if the process dies, so that `sweep` can tell."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Let one process after another into the block; on a file system without locks, all of them.

    Args:
        lock: the file of the lock, which the process that leaves removes.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _alone_with(lock)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _alone_with(lock: Path) -> int:
    """The file ``lock``, opened and locked."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                return descriptor
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever had it has removed it: others no longer see this file


def put_in_place(temporary: Path, final: Path) -> None:
    """Rename ``temporary`` to ``final``. A directory that was there is removed, or takes the name ``temporary``."""
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
    """Rename ``final`` to a hidden name. `sweep` renames it back if ``final`` is missing."""
    aside = final.with_name(f".{final.name}.{secrets.token_hex(4)}.old")
    final.rename(aside)
    return aside


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step, so that both exist at any moment; False if the system cannot do so."""
    at_cwd, exchange = -100, 2
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # Linux
    return rename is not None and rename(at_cwd, os.fsencode(first), at_cwd, os.fsencode(second), exchange) == 0


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what killed writers left in ``folder``, and undo a replacement that was interrupted.

    Args:
        folder: where to look; it may be missing.
        name: the final name whose leftovers are removed; ``None``: those of every name.
    """
    pattern = re.compile(rf"\.({re.escape(name) if name else '.+'})\.[0-9a-f]{{8}}\.(partial|old)")
    found = [pattern.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    for match in filter(None, found):
        left, final = folder / match[0], folder / match[1]
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer is alive
                if match[2] == "old" and not os.path.lexists(final):
                    left.rename(final)
                else:
                    discard(left)
            finally:
                os.close(descriptor)
