"""Where files lie that are not on this machine: what pyarrow opens itself, and any other store that fsspec knows.

Credentials come from the environment, as each store's own tools take them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from pyarrow import fs

from unrolled.data.io.retries import tried
from unrolled.errors import DataError, MissingExtra, UsageError, reason_of

__all__ = ["RemoteFile", "RemoteFiles", "RemoteStore", "files_at", "open_store"]

_ARROW = {"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"}
_NEEDS = {"hf": "huggingface_hub", "http": "aiohttp", "https": "aiohttp"}  # protocols of fsspec -> their package
_TAGS = ("ETag", "etag", "md5Hash", "blob_id", "Content-MD5", "Digest", "Last-Modified", "checksum")
_TIMES = ("mtime", "modified", "LastModified", "last_modified", "created")
_SAFE = "/:@?&=*%+,~!$'();#"  # in an address; other letters, such as a space, are written as %20
_WILD = re.compile(r"[*\[]")  # not ?, after which a query begins


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a store, as it is listed.

    Attributes:
        name: below the folder that was asked for.
        path: in the store.
        address: for messages.
        size: in bytes.
        time: of its last change, in nanoseconds since 1970; 0 where the store does not say.
        tag: a name of its contents that changes with them; empty where the store does not say.
    """

    name: str
    path: str
    address: str
    size: int
    time: int
    tag: str


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """What is at an address: ``files`` in order, whether they are those of a ``folder``, and the address of that."""

    folder: bool
    root: str
    files: tuple[RemoteFile, ...]


class Listed(NamedTuple):
    """A file as a store lists it; as `RemoteFile`."""

    path: str
    size: int
    time: int
    tag: str


class Part(NamedTuple):
    """Bytes of a file, and the size and the tag of the whole file when they were read."""

    content: bytes
    size: int
    tag: str


class RemoteStore(Protocol):
    """A store that lists files and reads parts of them."""

    def listed(self, path: str, *, below: bool) -> list[Listed]:
        """The file ``path``, or all files ``below`` it; none if it is not there."""

    def read(self, path: str, start: int, size: int) -> Part:
        """So many bytes from ``start`` on; fewer where the connection was cut."""


def open_store(address: str) -> tuple[RemoteStore, str]:
    """The store of an address, and the path in it.

    Raises:
        UsageError: no store of this kind is known.
        MissingExtra: the store needs a package that is not installed.
        DataError: it cannot be opened.
    """
    scheme = address.partition("://")[0].lower()
    return _arrow(address) if scheme in _ARROW else _fsspec(address, scheme)


def _arrow(address: str) -> tuple[RemoteStore, str]:
    try:
        system, path = fs.FileSystem.from_uri(quote(address, safe=_SAFE))
    except Exception as error:  # also of a library that is missing, as for hdfs
        raise DataError(f"its store cannot be opened: {reason_of(error)}", file=address) from None
    return ArrowStore(system), path


def _fsspec(address: str, scheme: str) -> tuple[RemoteStore, str]:
    try:
        import fsspec  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("fsspec", "remote", f"{scheme}://") from None
    try:
        system, path = fsspec.url_to_fs(address)
    except ImportError as error:
        if scheme in _NEEDS:
            raise MissingExtra(_NEEDS[scheme], "remote", f"{scheme}://") from None
        raise UsageError(f"{scheme}:// cannot be read: {reason_of(error)}") from None
    except ValueError as error:
        raise UsageError(f"{address} cannot be read: {reason_of(error)}") from None
    return FsspecStore(system), path


class ArrowStore:
    """A store of pyarrow's."""

    def __init__(self, system: fs.FileSystem) -> None:
        self._system = system

    def listed(self, path: str, *, below: bool) -> list[Listed]:
        """See `RemoteStore`."""
        if below:
            found = self._system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
        else:
            found = [self._system.get_file_info(path)]
        return [_of_info(info) for info in found if info.type == fs.FileType.File]

    def read(self, path: str, start: int, size: int) -> Part:
        """See `RemoteStore`."""
        with self._system.open_input_file(path) as file:
            said: dict[Any, Any] = dict(file.metadata() or {})
            tag = bytes(said.get("ETag") or said.get("Last-Modified") or b"").decode("utf-8", "replace")
            whole = file.size()
            content = file.read_at(size, start) if 0 < size <= whole - start else b""
            return Part(content, whole, tag)


def _of_info(info: fs.FileInfo) -> Listed:
    return Listed(info.path, info.size, info.mtime_ns or 0, "")


class FsspecStore:
    """A store of fsspec's."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def listed(self, path: str, *, below: bool) -> list[Listed]:
        """See `RemoteStore`."""
        self._system.invalidate_cache()  # it may have listed this before
        found = self._system.find(path, detail=True).values() if below else [self._system.info(path)]
        return [_of_dict(info) for info in found if info.get("type", "file") == "file"]

    def read(self, path: str, start: int, size: int) -> Part:
        """See `RemoteStore`."""
        self._system.invalidate_cache()
        now = _of_dict(self._system.info(path))
        content = self._system.cat_file(path, start=start, end=start + size) if 0 < size <= now.size - start else b""
        return Part(content, now.size, now.tag or str(now.time))


def _of_dict(info: dict[str, Any]) -> Listed:
    if info.get("size") is None:
        raise DataError("the store does not say how large it is", file=str(info["name"]), hint="fetch it first")
    tag = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    return Listed(str(info["name"]), int(info["size"]), _nanoseconds(info), tag)


def _nanoseconds(info: dict[str, Any]) -> int:
    time = next((info[name] for name in _TIMES if info.get(name) is not None), 0)
    if isinstance(time, datetime):
        return round(time.timestamp() * 10**6) * 10**3
    return int(time * 10**9) if isinstance(time, int | float) else 0


def files_at(address: str) -> tuple[RemoteStore, RemoteFiles]:
    """The store of ``address``, and what is there: a file, the files of a folder, or those that match a pattern.

    Hidden files, and those in hidden folders, are left out, as in a folder on this machine.

    Raises:
        DataError: nothing is there, or the store cannot be read.
        UsageError, MissingExtra: see `open_store`.
    """
    store, path = open_store(address)
    path, here = path.rstrip("/"), address.partition("?")[0].rstrip("/")
    folders = not address.lower().startswith(("http:", "https:"))  # pages that name files are no folders
    if not (folders and _WILD.search(path)):
        one = tried(lambda: _file(store, path), address)
        if one is not None:
            name = path.rpartition("/")[2]
            return store, RemoteFiles(False, here.rpartition("/")[0], (_remote(one, name, here),))
    base = path[: _literal(path)].rstrip("/") if _WILD.search(path) else path
    found = tried(lambda: store.listed(base, below=True), address) or [] if folders else []
    if base != path:
        found, here = [one for one in found if _matches(one.path, path)], here[: _literal(here)].rstrip("/")
    names = [one.path.strip("/").removeprefix(base.strip("/")).strip("/") for one in found]
    files = [_remote(one, name, f"{here}/{name}") for one, name in zip(found, names, strict=True) if not _hidden(name)]
    if not files:
        what = "no file matches it" if base != path else "there is no such file, and no folder with files"
        raise DataError(what, file=address)
    return store, RemoteFiles(True, here, tuple(sorted(files, key=lambda file: file.name.split("/"))))


def _file(store: RemoteStore, path: str) -> Listed | None:
    try:
        found = store.listed(path, below=False)
    except FileNotFoundError:
        return None
    return found[0] if found else None


def _literal(path: str) -> int:
    """Where the part of a name begins that has the first wildcard."""
    found = _WILD.search(path)
    return len(path) if found is None else path.rfind("/", 0, found.start()) + 1


def _matches(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern in which ``*`` stands for a part of a name, and ``**`` for any folders."""
    names, reached = path.strip("/").split("/"), {0}
    for wanted in pattern.strip("/").split("/"):
        if wanted == "**":
            reached = {place for first in reached for place in range(first, len(names))}
        else:
            reached = {place + 1 for place in reached if place < len(names) and fnmatchcase(names[place], wanted)}
    return len(names) in reached


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part != ".." for part in name.split("/"))


def _remote(one: Listed, name: str, address: str) -> RemoteFile:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise DataError("its name is no path", file=address, hint="rename it in the store")
    return RemoteFile(name, one.path, address, one.size, one.time, one.tag)
