"""A folder of data that runs share, prepared or fetched: what is in it, and how it stays below a limit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from unrolled.errors import SpaceError, UsageError, named
from unrolled.storage.directories import remove_directory, write_file

__all__ = [
    "FETCHED",
    "STORED",
    "Cached",
    "bytes_of",
    "check_outside",
    "emptied",
    "in_bytes",
    "in_words",
    "limit",
    "limit_of",
    "listed",
    "make_room",
]

STORED, FETCHED = "store.json", "fetched.json"  # in each folder in the cache: of prepared data, or of copies
_LIMIT = "limit.json"
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cached:
    """Prepared or fetched data in a shared folder.

    Attributes:
        folder: where it lies.
        source: what it was made from; empty if it is damaged.
        bytes: what it takes on the disk.
        used: when a run used it last, in seconds since 1970.
    """

    folder: Path
    source: str
    bytes: int
    used: float


def check_outside(cache: Path, out: Path | None) -> None:
    """Refuse a folder ``cache`` in the run directory ``out``, which keeps nothing for other runs.

    Raises:
        UsageError: it is there.
    """
    if out is not None and cache.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{named('cache')} {cache} is in the run directory {out}: choose a folder beside it")


def listed(cache: Path) -> list[Cached]:
    """The data in the folder ``cache``, last used first.

    Raises:
        UsageError: there is no such folder.
    """
    if not cache.is_dir():
        raise UsageError(f"{cache}: there is no such folder of prepared data")
    found = (path for name in (STORED, FETCHED) for path in cache.glob(f"*/{name}"))
    indexes = [path for path in found if not path.parent.name.startswith(".")]
    entries = [Cached(path.parent, _source(path), bytes_of(path.parent), path.stat().st_mtime) for path in indexes]
    return sorted(entries, key=lambda one: -one.used)


def emptied(cache: Path, most: int = 0, kept: Path | None = None) -> list[Cached]:
    """Remove data, the longest unused first, until all of it takes at most ``most`` bytes.

    A run that reads what is removed goes on: the system keeps its files until it ends.

    Args:
        cache: the folder.
        most: in bytes.
        kept: what is not removed, however much it takes.

    Returns:
        what was removed.
    """
    found = listed(cache)
    total, removed = sum(one.bytes for one in found), list[Cached]()
    for one in reversed(found):
        if total > most and one.folder != kept:
            remove_directory(one.folder)
            total -= one.bytes
            removed.append(one)
    return removed


def in_bytes(written: str) -> int:
    """A size such as ``50GB`` in bytes.

    Raises:
        UsageError: it is no size.

    Example:
        >>> in_bytes("1.5 GB"), in_bytes("200")
        (1500000000, 200)
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        raise UsageError(f"{written!r} is not a size: write it like 50GB or 500MB")
    unit = match[2].upper()
    return round(float(match[1]) * _UNITS[unit if unit in _UNITS else unit + "B"])


def in_words(size: int) -> str:
    """A size for the user.

    Example:
        >>> in_words(1_234_567)
        '1.2 MB'
    """
    unit = next(unit for unit in reversed(_UNITS) if size >= _UNITS[unit] or not unit)
    return f"{size / _UNITS[unit]:.2g} {unit}" if unit else f"{size} bytes"


def bytes_of(folder: Path) -> int:
    """What the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def limit(cache: Path, most: int) -> None:
    """Let the folder ``cache`` hold at most so many bytes from now on."""
    write_file(cache / _LIMIT, json.dumps({"bytes": most}).encode())


def limit_of(cache: Path) -> int | None:
    """What the folder ``cache`` may hold in bytes; ``None``: as much as the disk."""
    try:
        return int(json.loads((cache / _LIMIT).read_bytes())["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_room(kept: Path) -> None:
    """Keep the folder around ``kept``, which was added, below its limit, if it has one.

    Raises:
        SpaceError: ``kept`` takes more than the limit; it is removed.
    """
    cache = kept.parent
    if (most := limit_of(cache)) is None:
        return
    if (size := bytes_of(kept)) > most:
        remove_directory(kept)
        more = f"the prepared data takes {in_words(size)}, more than the limit of {in_words(most)}"
        raise SpaceError(
            f"{cache}: {more}: raise it with unrolled cache {cache} --limit, or leave {named('cache')} out"
        )
    emptied(cache, most, kept)


def _source(index: Path) -> str:
    try:
        said = json.loads(index.read_bytes())
        return str(said["source"] if index.name == FETCHED else said["about"]["config"]["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
