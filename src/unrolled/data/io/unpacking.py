"""Packed files (gzip, bzip2, xz, zstandard, and zip archives of one file): unpacked to disk within bounds, and mapped.

How a file is packed is seen from its first bytes, not by its name.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import pyarrow as pa

from unrolled.data.io.mapped import CHUNK, Spool, map_file, open_regular
from unrolled.errors import DataError, reason_of

__all__ = ["Beginning", "beginning", "check_archive", "contents", "plain_name"]

_SEEN = 1 << 16  # bytes from which a format is recognised
_UNPACKED_FLOOR = 64 << 20  # a small file may unpack to this much,
_UNPACKED_RATIO = 200  # a larger one to this many times its size: real tables stay below 50, a gzip bomb reaches 1030
_MOST_MEMBERS = 10_000
_LISTED = 5  # members that a message lists at most
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_BEGINS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstandard": re.compile(rb"\x28\xb5\x2f\xfd"),
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
}
_CONTAINERS = re.compile(r"\[Content_Types\]\.xml|mimetype|META-INF/.*|.*\.npy")  # formats that are zip archives inside
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is seen of a file before its format is known.

    Attributes:
        name: its name without the suffix of a packed file; that of the file inside of an archive of one.
        data: its first 64 KiB, unpacked.
        whole: whether this is all of it.
        members: for a zip archive that is not simply one packed file, the names in it.
    """

    name: str
    data: bytes
    whole: bool = True
    members: tuple[str, ...] = ()


def beginning(path: Path) -> Beginning:
    """The first bytes of ``path``.

    Raises:
        DataError: the file is missing, unreadable, not a regular file, or packed and damaged.
    """
    with open_regular(path, empty=True) as file:
        raw = file.read(_SEEN + 1)
        packing = _packing(raw)
        if packing is None:
            return Beginning(path.name, raw[:_SEEN], len(raw) <= _SEEN)
        with _unpacked(file, packing, path) as (name, unpacked):
            if unpacked is None:
                return Beginning(path.name, raw[:_SEEN], len(raw) <= _SEEN, name)
            data = unpacked.read(_SEEN + 1)
    return Beginning(name[0], data[:_SEEN], len(data) <= _SEEN)


def contents(path: Path) -> pa.Buffer:
    """The bytes of ``path``, unpacked if it is packed, and mapped.

    Raises:
        DataError: as in `unrolled.data.io.mapped.map_file`; or it is packed and damaged, cut short or empty, unpacks to
            so much that it looks like a bomb, or is an archive of several files.
    """
    with open_regular(path) as packed:
        packing = _packing(packed.read(16))
        if packing is None:
            return map_file(path)
        limit, size = _limit(packed), 0
        with _unpacked(packed, packing, path) as (names, file), Spool() as spool:
            if file is None:
                raise _several(path, names)
            while chunk := file.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise _too_large(path, limit)
                spool.write(chunk)
            if not size:
                raise DataError("is empty", file=str(path))
            return spool.buffer()


def check_archive(path: Path) -> None:
    """Refuse a zip archive, such as a workbook, that is damaged or unpacks to too much.

    Raises:
        DataError: as in `contents`.
    """
    with open_regular(path) as packed:
        limit = _limit(packed)
        with _named_faults(path, "zip"), zipfile.ZipFile(packed) as archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > limit:
        raise _too_large(path, limit)


def plain_name(path: Path) -> str:
    """The name of a packed file without the suffix of its packing, such as ``.gz``.

    Example:
        >>> plain_name(Path("data/Prices.CSV.gz")), plain_name(Path("notes.txt"))
        ('Prices.CSV', 'notes.txt')
    """
    return path.name[: -len(path.suffix)] if path.suffix.lower() in _SUFFIXES else path.name


def _packing(data: bytes) -> str | None:
    return next((name for name, begins in _BEGINS.items() if begins.match(data)), None)


def _limit(packed: BinaryIO) -> int:
    return max(_UNPACKED_FLOOR, _UNPACKED_RATIO * os.fstat(packed.fileno()).st_size)


@contextmanager
def _unpacked(file: BinaryIO, packing: str, path: Path) -> Iterator[tuple[tuple[str, ...], BinaryIO | None]]:
    """The name of what ``file`` packs, and a stream of it; all names and ``None`` if it is not simply one file."""
    file.seek(0)
    with _named_faults(path, packing):
        if packing != "zip":
            with _STREAMS[packing](file) as stream:
                yield (plain_name(path),), stream
            return
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if _is_content(member)]
            names = tuple(member.filename for member in members[:_MOST_MEMBERS])
            if len(members) != 1 or any(_CONTAINERS.fullmatch(name) for name in names):
                yield names, None
                return
            with archive.open(members[0]) as member:
                yield (PurePosixPath(names[0]).name,), cast("BinaryIO", member)


def _is_content(member: zipfile.ZipInfo) -> bool:
    """Whether it is a file that the user put there: neither a folder nor what macOS adds."""
    hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member.filename).parts)
    return not member.is_dir() and not hidden


@contextmanager
def _named_faults(path: Path, packing: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = reason_of(error)
        what = f"{packing} file"
        if packing == "zip" and "not a zip file" in reason:
            what, reason = "zip archive or workbook, though it begins as one", "its end is missing or damaged"
        raise DataError(f"is not a whole {what}: {reason}", file=str(path)) from None


def _several(path: Path, names: tuple[str, ...]) -> DataError:
    if not names:
        return DataError("is an archive without a file", file=str(path))
    rest = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    message = f"is an archive of {len(names)} files: {', '.join(names[:_LISTED])}{rest}"
    return DataError(message, file=str(path), hint="unpack it, and give one of them or their folder")


def _too_large(path: Path, limit: int) -> DataError:
    message = f"unpacks to more than {limit >> 20} MiB, the limit for a file of its size"
    return DataError(message, file=str(path), hint="if you trust it, unpack it first")


_STREAMS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "gzip": lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file)),
    "bzip2": lambda file: cast("BinaryIO", bz2.BZ2File(file)),
    "xz": lambda file: cast("BinaryIO", lzma.LZMAFile(file)),  # noqa: SIM115
    "zstandard": lambda file: cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")),
}
