"""Atomic writing of files and directories, and reading that detects damage.

A directory gets its name only when it is complete: its files are written under a hidden name, flushed to the disk,
listed in a ``manifest.json`` with size and SHA-256, and then the directory is renamed. A writer that is killed leaves
a hidden directory, which the next writer of the same name removes, but never half a model.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from unrolled.errors import ModelError, SpaceError, UsageError, named
from unrolled.storage.atomic import beside, create, discard, fsync, locked, put_in_place, sweep

__all__ = [
    "MANIFEST",
    "begun_directory",
    "complete_directory",
    "read_directory",
    "remove_directory",
    "space_errors",
    "verify",
    "write_directory",
    "write_file",
    "write_manifest",
    "write_member",
]

MANIFEST = "manifest.json"
_FORMAT = 1
_LARGEST_MANIFEST = 1 << 24

_NO_SPACE = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would exceed the limit on file size",  # CPython ignores SIGXFSZ, so the limit shows as EFBIG
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOMEM: "not enough memory",
}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


@contextlib.contextmanager
def space_errors(place: Path | str = "writing") -> Iterator[None]:
    """Raise a `SpaceError` for every way in which the block can run out of disk or memory.

    Args:
        place: what was being written, for the message.

    Raises:
        SpaceError: the disk is full, over quota, read-only or not ours to write to, a file exceeds the limit on file
            size, or memory runs out.
        UsageError: the path is not possible.

    Example:
        >>> with space_errors("run"):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
        ...
        unrolled.errors.SpaceError: run: no space is left on the disk; what was saved before is intact
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            raise UsageError(f"{place}: cannot be written: {error.strerror}; choose another path") from error
        reason = _NO_SPACE.get(error.errno or 0) if isinstance(error, OSError) else _memory_reason(error)
        if reason is None:
            raise
        raise SpaceError(f"{place}: {reason}; what was saved before is intact") from error


def _memory_reason(error: MemoryError | RuntimeError) -> str | None:
    # On a CPU torch raises a plain RuntimeError when memory runs out; only its text says so.
    torch_ran_out = type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    return _NO_SPACE[errno.ENOMEM] if isinstance(error, MemoryError) or torch_ran_out else None


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write ``data``, bytes or pieces of bytes, to ``path`` atomically, replacing a file that was there.

    Raises:
        SpaceError: the data does not fit or may not be written; a file that was there is unchanged.
        UsageError: the folder takes no files.
    """
    with space_errors(path):
        sweep(path.parent, path.name)
        temporary = beside(path)
        try:
            with _created(temporary, path) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
                temporary.rename(path)
        except BaseException:
            discard(temporary)
            raise
        fsync(path.parent)


def _created(temporary: Path, path: Path) -> BinaryIO:
    """A new file for the writing of ``path``, in a folder that is made if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return create(temporary)
    except FileNotFoundError:
        raise UsageError(f"{path}: cannot be written: this folder takes no files; choose another path") from None


def write_directory(final: Path, files: dict[str, bytes | Callable[[Path], None]], *, overwrite: bool = False) -> None:
    """Write the directory ``final`` with ``files`` and their manifest atomically.

    Args:
        final: its path; missing parents are created.
        files: relative name (``a/b`` creates a folder) -> its bytes, or a function that writes it to a given path.
        overwrite: whether an existing directory is replaced.

    Raises:
        UsageError: ``final`` exists and ``overwrite`` is False.
        SpaceError: the files do not fit or may not be written; a directory that was there is unchanged.
    """
    with begun_directory(final, overwrite=overwrite) as hidden:
        for name, content in files.items():
            _write_member(hidden, name, content)
        complete_directory(hidden, final, files)


@contextlib.contextmanager
def begun_directory(final: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """The hidden directory that becomes ``final`` once `complete_directory` is called inside the block.

    Several processes may write into it before. A block that is left earlier removes it, and leaves ``final`` as it was.

    Args:
        final, overwrite: as for `write_directory`.

    Raises:
        UsageError, SpaceError: as for `write_directory`, also for what the block writes.
    """
    with space_errors(final):
        sweep(final.parent, final.name)
        if os.path.lexists(final) and not overwrite:
            raise UsageError(f"{final} already exists: choose another name, or set {named('overwrite')}")
        final.parent.mkdir(parents=True, exist_ok=True)
        hidden = beside(final)
        try:
            hidden.mkdir()
            with locked(hidden):
                yield hidden
        finally:  # after a success, `hidden` is either gone or the replaced directory
            discard(hidden)
        fsync(final.parent)


def write_member(hidden: Path, name: str, content: bytes) -> None:
    """Write a file of a directory that is not complete yet.

    Args:
        hidden: from `begun_directory`, maybe of another process.
        name, content: of the file.

    Raises:
        SpaceError: the file does not fit or may not be written.
    """
    with space_errors(hidden / name):
        _write_member(hidden, name, content)


def complete_directory(hidden: Path, final: Path, names: Iterable[str]) -> None:
    """Give the directory ``hidden``, whose files ``names`` are written, its manifest and its name.

    Args:
        hidden: from `begun_directory`.
        final: that name.
        names: its files.

    Raises:
        SpaceError: the manifest does not fit or may not be written.
    """
    with space_errors(final):
        _write_member(hidden, MANIFEST, _manifest(hidden, names))
        for folder, _, _ in os.walk(hidden):
            fsync(Path(folder))
        put_in_place(hidden, final)


def write_manifest(folder: Path, names: Iterable[str]) -> None:
    """Write the manifest of a directory whose files, ``names``, are already written.

    Raises:
        SpaceError: the manifest does not fit or may not be written.
    """
    with space_errors(folder):
        write_file(folder / MANIFEST, _manifest(folder, names))


def remove_directory(path: Path) -> None:
    """Remove a directory so that it is never seen half removed.

    Raises:
        SpaceError: the directory may not be removed; it is still complete.
    """
    with space_errors(path):
        hidden = beside(path)
        path.rename(hidden)
        discard(hidden)


def verify(path: Path) -> list[str]:
    """Check every file in the manifest of the directory ``path``, and return their names.

    Files are read in pieces. Files that are not in the manifest (logs, caches) are ignored.

    Raises:
        ModelError: the directory, the manifest or a file is missing, truncated or changed, or its name points outside
            the directory; the message names it.
    """
    entries = _read_manifest(path)
    for name, entry in entries.items():
        with _open_member(path, name, entry["size"]) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                _damaged(path, name)
    return list(entries)


def read_directory(path: Path) -> dict[str, bytes]:
    """Read and check every file in the manifest of the directory ``path``; returns name -> bytes.

    Raises:
        ModelError: as for `verify`.
    """
    contents = {}
    for name, entry in _read_manifest(path).items():
        with _open_member(path, name, entry["size"]) as file:
            contents[name] = file.read()
        if hashlib.sha256(contents[name]).hexdigest() != entry["sha256"]:
            _damaged(path, name)
    return contents


def _write_member(folder: Path, name: str, content: bytes | Callable[[Path], None]) -> None:
    _check_name(folder, name)
    path = folder / name
    if "/" in name:
        path.parent.mkdir(parents=True, exist_ok=True)
    if callable(content):
        content(path)
        fsync(path)
        return
    with create(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _canonical(entries: dict[str, dict[str, Any]]) -> bytes:
    return json.dumps({"format": _FORMAT, "files": entries}, indent=1, sort_keys=True).encode() + b"\n"


def _manifest(folder: Path, names: Iterable[str]) -> bytes:
    entries = {}
    for name in names:
        _check_name(folder, name)
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            entries[name] = {"sha256": digest, "size": file.tell()}
    return _canonical(entries)


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with _open_regular(path / MANIFEST) as file:
            text = file.read(_LARGEST_MANIFEST)
        entries: dict[str, dict[str, Any]] = json.loads(text)["files"]
        # Manifests are written in one form only, so any difference, even a space, is damage.
        if _canonical({name: {"sha256": e["sha256"], "size": e["size"]} for name, e in entries.items()}) != text:
            raise ValueError
    except OSError as error:
        raise ModelError(
            f"{path}: not a directory saved by Unrolled, or incomplete: {MANIFEST}: {error.strerror}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path}: {MANIFEST} is damaged, was not written by Unrolled, or has a newer format") from None
    return entries


def _open_member(folder: Path, name: str, size: int) -> BufferedReader:
    _check_name(folder, name)
    try:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"{folder}: {name!r} points outside the directory and is not read")
        file = _open_regular(folder / name)
    except (OSError, RuntimeError) as error:  # RuntimeError: circular links
        reason = error.strerror if isinstance(error, OSError) else "its links are circular"
        raise ModelError(f"{folder}: {name!r} cannot be read: {reason}") from None
    found = os.fstat(file.fileno()).st_size
    if found != size:
        file.close()
        raise ModelError(f"{folder}: {name!r} is damaged: it has {found} bytes, but {size} were saved")
    return file


def _open_regular(path: Path) -> BufferedReader:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without O_NONBLOCK, a named pipe would block
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")


def _check_name(folder: Path, name: str) -> None:
    parts = name.split("/")
    if "\0" in name or "\\" in name or not name.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ModelError(f"{folder}: {name!r} is not an allowed file name")


def _damaged(folder: Path, name: str) -> NoReturn:
    raise ModelError(f"{folder}: {name!r} is damaged: its SHA-256 differs from the one in {MANIFEST}")
