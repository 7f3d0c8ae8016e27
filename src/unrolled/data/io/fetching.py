"""Copies of remote files in a folder of the cache: fetched part by part, whole or absent, and fetched once.

A folder ``<name>-<key>`` holds ``fetched.json`` (the address, for ``unrolled cache``), ``files.jsonl`` (a line for each
file that is whole: its name, size, time and tag when it was fetched) and ``files/``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock

from unrolled.data.io.remote_stores import RemoteFile, RemoteFiles, RemoteStore
from unrolled.data.io.retries import tried
from unrolled.errors import DataError, SpaceError, counted
from unrolled.storage.atomic import beside, create, discard, in_turn, sweep
from unrolled.storage.cache_folder import FETCHED, emptied, in_words, limit_of
from unrolled.storage.directories import remove_directory, space_errors, write_file

__all__ = ["copy_of", "place_for"]

PART = 8 << 20  # bytes of one request
_AT_ONCE = 8  # requests
_AHEAD = 16  # parts in memory, of all files together
_JOURNAL, _FILES = "files.jsonl", "files"
_SAID = 100 << 20  # bytes from which on it is said that they are fetched
_log = logging.getLogger(__name__)


def place_for(cache: Path, address: str) -> Path:
    """The folder in ``cache`` for the files at an address."""
    stem = re.sub(r"[^\w.-]+", "-", address.partition("?")[0].rstrip("/").rpartition("/")[2]).strip("-.") or "files"
    return cache / f"{stem}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"


def copy_of(store: RemoteStore, files: RemoteFiles, address: str, cache: Path) -> Path:
    """The files on this machine, of which those are fetched that are not there yet or have changed.

    Args:
        store: where they lie.
        files: as they are listed.
        address: what they are.
        cache: the folder of the copies.

    Returns:
        the folder that holds the copies.

    Raises:
        DataError: a file cannot be read, or changes while it is read.
        SpaceError: they do not fit on the disk or into the cache; nothing of them is left.
    """
    place = place_for(cache, address)
    with space_errors(cache):
        place.mkdir(parents=True, exist_ok=True)
        with in_turn(cache / f".{place.name}.lock"):
            whole = _journal(place)
            missing = [file for file in files.files if whole.get(file.name) != _mark(file) or not _held(place, file)]
            if missing or not (place / FETCHED).is_file():
                with _all_or_nothing(place):
                    _fetch(store, files, missing, address, place)
            _remove_others(place, files)
            os.utime(place / FETCHED)  # when it was last used
    return place / _FILES


def _mark(file: RemoteFile) -> tuple[int, int, str]:
    return file.size, file.time, file.tag


def _held(place: Path, file: RemoteFile) -> bool:
    try:
        return (place / _FILES / file.name).stat().st_size == file.size
    except OSError:
        return False


def _journal(place: Path) -> dict[str, tuple[int, int, str]]:
    """Each file that was fetched, by its name below the folder, as it was listed then."""
    found: dict[str, tuple[int, int, str]] = {}
    try:
        lines = (place / _JOURNAL).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return found
    for line in lines:
        try:
            name, size, time, tag, _ = json.loads(line)
        except (ValueError, TypeError):  # a writer was killed in the middle of it
            continue
        found[str(name)] = (int(size), int(time), str(tag))
    return found


@contextmanager
def _all_or_nothing(place: Path) -> Iterator[None]:
    """Where there is no space, remove what was fetched: half of the files is of no use, and fills the disk."""
    try:
        yield
    except (SpaceError, OSError):
        remove_directory(place)
        raise


def _fetch(store: RemoteStore, files: RemoteFiles, missing: Sequence[RemoteFile], address: str, place: Path) -> None:
    _check_room(place, sum(file.size for file in files.files), sum(file.size for file in missing), address)
    write_file(place / FETCHED, json.dumps({"source": address}).encode())
    if (size := sum(file.size for file in missing)) >= _SAID:
        _log.warning("%s: %s (%s) fetched to %s", address, counted(len(missing), "file"), in_words(size), place)
    turn, together = Lock(), max(1, min(_AT_ONCE, len(missing)))

    def fetch(file: RemoteFile) -> None:
        tag = _fetch_file(store, file, place / _FILES / file.name, parts, _AHEAD // together)
        with turn:
            journal.write(json.dumps([file.name, file.size, file.time, file.tag, tag]) + "\n")
            journal.flush()

    with (
        (place / _JOURNAL).open("a", encoding="utf-8") as journal,
        ThreadPoolExecutor(_AT_ONCE) as parts,
        ThreadPoolExecutor(together) as whole,
    ):
        for _ in whole.map(fetch, missing):
            """A file that cannot be read ends the fetching; those that are whole are kept."""


def _check_room(place: Path, whole: int, missing: int, address: str) -> None:
    free, most = shutil.disk_usage(place).free, limit_of(place.parent)
    if missing > free:
        raise SpaceError(
            f"{address}: its files take {in_words(missing)}, but {place.parent} has {in_words(free)} left: "
            "free some, or set UNROLLED_CACHE to a folder on another disk"
        )
    if most is not None and whole > most:
        raise SpaceError(
            f"{address}: its files take {in_words(whole)}, more than the limit of {in_words(most)}: "
            f"raise it with unrolled cache {place.parent} --limit"
        )
    if most is not None:
        emptied(place.parent, max(0, most - missing), place)


def _fetch_file(store: RemoteStore, file: RemoteFile, final: Path, pool: ThreadPoolExecutor, ahead: int) -> str:
    """Fetch one file, some parts ahead of what is written; returns its tag, which is that of every part."""
    final.parent.mkdir(parents=True, exist_ok=True)
    sweep(final.parent, final.name)
    temporary = beside(final)
    try:
        with create(temporary) as out:
            read = partial(_part, store, file)
            starts = range(0, file.size, PART)
            tags: set[str] = set()
            for first in range(0, len(starts), ahead):
                for content, tag in pool.map(read, starts[first : first + ahead]):
                    out.write(content)
                    tags.add(tag)
            tags.add(_part(store, file, file.size)[1])
            if len(tags) > 1:
                raise _changed(file)
            out.flush()
            os.fsync(out.fileno())
        if file.time:  # for those who tell by it whether a file has changed
            os.utime(temporary, ns=(file.time, file.time))
        temporary.rename(final)
    except BaseException:
        discard(temporary)
        raise
    return tags.pop()


def _part(store: RemoteStore, file: RemoteFile, start: int) -> tuple[bytes, str]:
    size = min(PART, file.size - start)

    def request() -> tuple[bytes, str]:
        part = store.read(file.path, start, size)
        if part.size != file.size:
            raise _changed(file)
        if len(part.content) != size:
            raise ConnectionError(f"{len(part.content)} bytes came where {size} were asked for")
        return part.content, part.tag

    return tried(request, file.address)


def _changed(file: RemoteFile) -> DataError:
    return DataError("it changed while it was read", file=file.address, hint="read it again when it is whole")


def _remove_others(place: Path, files: RemoteFiles) -> None:
    """Remove copies of files that are no longer there."""
    kept = {place / _FILES / file.name for file in files.files}
    for path in [*(place / _FILES).rglob("*")]:
        if path.is_file() and path not in kept:
            path.unlink(missing_ok=True)
