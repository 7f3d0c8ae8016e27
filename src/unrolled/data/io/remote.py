"""Remote sources as files on this machine: a context in which an address is a path, and errors name the address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from unrolled.data.io.addresses import check_address, is_address, parts_of
from unrolled.data.io.fetching import copy_of
from unrolled.data.io.remote_stores import RemoteFile, RemoteFiles, files_at
from unrolled.errors import DataError, Origin, SpaceError, UsageError

__all__ = ["Near", "cache_home", "files_kept_in", "listed_at", "near"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where copies are kept, and how the files were when they were read first.

    Attributes:
        folder: the cache.
        seen: address -> its files as they were listed; they must not change.
    """

    folder: Path
    seen: dict[str, tuple[RemoteFile, ...]] = field(default_factory=dict)


_KEPT: ContextVar[Kept | None] = ContextVar("kept", default=None)


def cache_home() -> Path:
    """The folder of copies where no other is given: ``UNROLLED_CACHE``, else ``unrolled`` in the user's cache."""
    if told := os.environ.get("UNROLLED_CACHE"):
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unrolled"


@contextmanager
def files_kept_in(cache: str | Path | None) -> Iterator[None]:
    """Keep copies in ``cache`` inside the block, in which remote files must not change."""
    before = _KEPT.get()
    if before is not None:  # a search and its trials, or a run that is resumed
        yield
        return
    token = _KEPT.set(Kept(cache_home() if cache is None else Path(cache)))
    try:
        yield
    finally:
        _KEPT.reset(token)


@dataclass(frozen=True, slots=True)
class Near:
    """A source on this machine.

    Attributes:
        source: what can be read here: a path where the source was an address, else the source itself.
        names: path -> the address that it is the copy of.
    """

    source: Any
    names: dict[str, str]

    def text(self, said: S) -> S:
        """A message, or the name of an origin, with addresses in place of the paths of their copies."""
        if isinstance(said, str):
            for path, address in self.names.items():
                said = said.replace(path, address)  # type: ignore[assignment]
        return said

    def error(self, error: DataError) -> DataError:
        """An error that names addresses."""
        said, hint, place = self.text(error.message), self.text(error.hint), self.text(error.file)
        named = DataError(said, file=place, row=error.row, column=error.column, hint=hint)
        return named if self.names else error

    def origin(self, origin: Origin) -> Origin:
        """An origin with addresses in place of paths."""
        if not self.names:
            return origin
        return Origin(self.text(origin.name), tuple((self.text(name), rows) for name, rows in origin.files))


@contextmanager
def near(source: Any) -> Iterator[Near]:
    """``source`` on this machine: the files of an address are fetched first, unless they are there already.

    Errors of the block name the address.

    Raises:
        DataError: there is nothing at the address, it cannot be read, or it changes while it is read.
        SpaceError: the copies do not fit on the disk or into the cache.
        UsageError: the address holds a password or a key, or its store is unknown.
        MissingExtra: the store needs a package that is not installed.
    """
    if not is_address(source):
        yield Near(source, {})
        return
    paths, names = list[str](), dict[str, str]()
    for address in parts_of(source):
        folder, files = _copy(address)
        names[str(folder)] = files.root
        paths.append(str(folder if files.folder else folder / files.files[0].name))
    here = Near(",".join(paths), names)
    try:
        yield here
    except DataError as error:
        raise here.error(error) from None
    except (UsageError, SpaceError) as error:
        raise type(error)(here.text(str(error))) from None


def listed_at(source: str | Path) -> list[RemoteFile]:
    """The files at an address as they are now, without reading them.

    Raises:
        DataError, UsageError, MissingExtra: see `near`.
    """
    found: list[RemoteFile] = []
    for address in parts_of(source):
        check_address(address)
        found += files_at(address)[1].files
    return found


def _copy(address: str) -> tuple[Path, RemoteFiles]:
    """The folder of the copies, and the files as they are listed."""
    check_address(address)
    kept = _KEPT.get() or Kept(cache_home())
    store, files = files_at(address)
    _check_same(kept, address, files.files)
    return copy_of(store, files, address, kept.folder.absolute()), files


def _check_same(kept: Kept, address: str, files: tuple[RemoteFile, ...]) -> None:
    """Refuse files that changed since they were read first: a run would learn from both."""
    before = kept.seen.setdefault(address, files)
    if before != files:
        changed = min(({*before} ^ {*files}), key=lambda file: file.name)
        raise DataError("it changed while the run reads it", file=changed.address, hint="start the run again")
