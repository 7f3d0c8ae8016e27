"""Writing that is all or nothing, and reading that notices.

A directory appears under its name only when it is whole: everything is written beside it, flushed to the disk, named
in a ``manifest.json`` with its size and SHA-256, and then renamed. Whoever is killed on the way leaves something
hidden that the next writer of the same name clears away, and never half a model.
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
from typing import Any, NoReturn

from unrolled.errors import ModelError, SpaceError, UsageError
from unrolled.storage.atomic import beside, create, discard, fsync, locked, put_in_place, sweep

__all__ = [
    "MANIFEST",
    "read_directory",
    "remove_directory",
    "space_errors",
    "verify",
    "write_directory",
    "write_file",
    "write_manifest",
]

MANIFEST = "manifest.json"
_FORMAT = 1
_LARGEST_MANIFEST = 1 << 24

_NO_SPACE = {
    errno.ENOSPC: "there is no space left on the disk",
    errno.EDQUOT: "the disk quota leaves no space",
    errno.EFBIG: "the limit on the size of a file leaves no space",  # CPython ignores SIGXFSZ, so it arrives as this
    errno.EROFS: "the disk is read-only, so there is no space to write to",
    errno.EACCES: "there is no permission to write, so no space of ours",
    errno.EPERM: "there is no permission to write, so no space of ours",
    errno.ENOMEM: "there is not enough memory",
}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


@contextlib.contextmanager
def space_errors(place: Path | str = "writing") -> Iterator[None]:
    """Turn the many ways in which disk or memory runs out inside the block into one.

    Args:
        place: what was being written, for the message.

    Raises:
        SpaceError: the disk is full, over quota, read-only or closed to us, a file grew over its limit, or memory
            ran out.
        UsageError: there can be no such path.

    Example:
        >>> with space_errors("run"):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
        ...
        unrolled.errors.SpaceError: run: there is no space left on the disk; what was saved before is intact
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
    # torch has no exception of its own for the CPU: its allocator raises a RuntimeError that says so.
    torch_ran_out = type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    return _NO_SPACE[errno.ENOMEM] if isinstance(error, MemoryError) or torch_ran_out else None


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Put ``data``, whole or piece by piece, at ``path``, in place of what was there, all or nothing.

    Raises:
        SpaceError: it does not fit or may not be written; what was there still is.
    """
    with space_errors(path):
        sweep(path.parent, path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = beside(path)
        try:
            with create(temporary) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
                temporary.rename(path)
        except BaseException:
            discard(temporary)
            raise
        fsync(path.parent)


def write_directory(final: Path, files: dict[str, bytes | Callable[[Path], None]], *, overwrite: bool = False) -> None:
    """Make the directory ``final`` with ``files`` and their manifest, all or nothing.

    Args:
        final: its path; missing parents are made.
        files: relative name (``a/b`` makes a folder) -> its bytes, or a function that writes it at the path it gets.
        overwrite: whether an existing directory gives way to the new one.

    Raises:
        UsageError: ``final`` exists and ``overwrite`` is False.
        SpaceError: it does not fit or may not be written; what was there still is.
    """
    with space_errors(final):
        sweep(final.parent, final.name)
        if os.path.lexists(final) and not overwrite:
            raise UsageError(f"{final} exists already: choose another name, or ask for it to be replaced")
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = beside(final)
        try:
            temporary.mkdir()
            with locked(temporary):
                for name, content in files.items():
                    _write_member(temporary, name, content)
                _write_member(temporary, MANIFEST, _manifest(temporary, files))
                for folder, _, _ in os.walk(temporary):
                    fsync(Path(folder))
                put_in_place(temporary, final)
        finally:  # after a success the name is either gone or that of the directory that gave way
            discard(temporary)
        fsync(final.parent)


def write_manifest(folder: Path, names: Iterable[str]) -> None:
    """Write the manifest of a directory that grew file by file: ``names`` are its files as they are now.

    Raises:
        SpaceError: it does not fit or may not be written.
    """
    with space_errors(folder):
        write_file(folder / MANIFEST, _manifest(folder, names))


def remove_directory(path: Path) -> None:
    """Remove a directory so that it is never seen half removed.

    Raises:
        SpaceError: it may not be removed; it is still whole.
    """
    with space_errors(path):
        hidden = beside(path)
        path.rename(hidden)
        discard(hidden)


def verify(path: Path) -> list[str]:
    """The names in the manifest of the directory ``path``, every file checked against it; reads in pieces.

    Files that the manifest does not name (logs, caches) are neither checked nor named.

    Raises:
        ModelError: the directory, the manifest or a file is missing, cut short, changed, or has a name that leads
            out of the directory; the message names it.
    """
    entries = _read_manifest(path)
    for name, entry in entries.items():
        with _open_member(path, name, entry["size"]) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                _damaged(path, name)
    return list(entries)


def read_directory(path: Path) -> dict[str, bytes]:
    """The files in the manifest of the directory ``path`` and their bytes, every one checked.

    Raises:
        ModelError: as `verify`.
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
        # We write it in one form only, so any difference, be it a blank, is damage.
        if _canonical({name: {"sha256": e["sha256"], "size": e["size"]} for name, e in entries.items()}) != text:
            raise ValueError
    except OSError as error:
        raise ModelError(f"{path}: not a directory of ours, or cut short: {MANIFEST}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path}: {MANIFEST} is damaged, not ours, or of a newer format") from None
    return entries


def _open_member(folder: Path, name: str, size: int) -> BufferedReader:
    _check_name(folder, name)
    try:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"{folder}: {name!r} leads out of the directory; it is not read")
        file = _open_regular(folder / name)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go in circles
        reason = error.strerror if isinstance(error, OSError) else "links that go in circles"
        raise ModelError(f"{folder}: {name!r} cannot be read: {reason}") from None
    found = os.fstat(file.fileno()).st_size
    if found != size:
        file.close()
        raise ModelError(f"{folder}: {name!r} is damaged: it has {found} bytes and was saved with {size}")
    return file


def _open_regular(path: Path) -> BufferedReader:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not make us wait
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")


def _check_name(folder: Path, name: str) -> None:
    parts = name.split("/")
    if "\0" in name or "\\" in name or not name.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ModelError(f"{folder}: {name!r} is not a name that a file of ours may have")


def _damaged(folder: Path, name: str) -> NoReturn:
    raise ModelError(f"{folder}: {name!r} is damaged: its SHA-256 is not the one that it was saved with")
