"""Sessions in a folder: they outlive the server, whether it ends or is killed.

Sessions that are put together go into one file, which is whole or absent. A session's newest record counts, and a
file that was written later holds newer ones. When there are many files, the latest become one.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from unrolled.errors import UsageError
from unrolled.serving.store import Record, Store, decoded_record, encoded_record
from unrolled.storage.directories import space_errors, write_file

__all__ = ["FolderStore"]

_log = logging.getLogger("unrolled.serving")
_MARK = b"unrolled sessions 1\n"
_SUFFIX = ".sessions"
_MANY = 16  # files that are left as they are
_SIZE, _DIGEST = 4, 32  # bytes before and behind


class _Place(NamedTuple):
    """Where the newest record of a session is."""

    file: int
    offset: int
    size: int
    put: float  # when, as seconds since 1970


class _Entry(msgspec.Struct, array_like=True):
    """What stands in a file: a record, which is not read before it is needed; without one, the session was dropped."""

    session: str
    put: float
    record: msgspec.Raw

    @property
    def gone(self) -> bool:
        """Whether the session was dropped."""
        return bytes(self.record) == _NOTHING


_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(_Entry)
_NOTHING = msgspec.msgpack.encode(None)


class FolderStore(Store):
    """Keeps sessions in a folder, which is made if need be; for one server at a time.

    Args:
        folder: where.
        keep: for how many seconds.

    Raises:
        UsageError: another server uses the folder, or it cannot be one.
        SpaceError: it cannot be written to.
    """

    durable = True

    def __init__(self, folder: Path, keep: float) -> None:
        self._folder, self._keep = folder, keep
        with space_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._hold = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._hold)
            raise UsageError(f"{folder}: another server keeps its sessions there; each needs its own folder") from None
        self._places: dict[str, _Place] = {}  # in the order in which they were put
        self._sizes: dict[int, int] = {}  # number of a file -> its size
        self._gone: list[str] = []  # dropped since the last file
        self._lock = asyncio.Lock()
        for number in sorted(int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal()):
            self._open(number)

    def __len__(self) -> int:
        return len(self._places)

    async def put(self, records: Sequence[Record]) -> Sequence[str]:
        async with self._lock:
            if records or self._gone:
                await asyncio.to_thread(self._put, records)
        return ()

    async def take(self, sessions: Sequence[str]) -> list[Record | Exception | None]:
        async with self._lock:
            places = [self._places.get(session) for session in sessions]
            return await asyncio.to_thread(self._read, places)

    async def drop(self, session: str) -> None:
        if self._places.pop(session, None) is not None:
            self._gone.append(session)  # written with the next file

    async def sweep(self) -> None:
        before = time.time() - self._keep
        while self._places and (oldest := next(iter(self._places.items())))[1].put < before:
            del self._places[oldest[0]]

    async def close(self) -> None:
        await self.put(())
        os.close(self._hold)

    def _put(self, records: Iterable[Record]) -> None:
        now = time.time()
        gone, self._gone = self._gone, []
        entries = [_Entry(session, now, msgspec.Raw(_NOTHING)) for session in gone]
        entries += [_Entry(record.session, now, msgspec.Raw(encoded_record(record))) for record in records]
        try:
            self._write(max(self._sizes, default=0) + 1, entries)
        except BaseException:
            self._gone = gone + self._gone
            raise
        if len(self._sizes) > _MANY:
            self._merge()

    def _write(self, number: int, entries: Iterable[_Entry]) -> None:
        """Write a file, all or nothing, and know what is in it."""
        pieces, offset, places = [_MARK], len(_MARK), {}
        for entry in entries:
            data = _encoder.encode(entry)
            pieces += [len(data).to_bytes(_SIZE), data]
            places[entry.session] = None if entry.gone else _Place(number, offset + _SIZE, len(data), entry.put)
            offset += _SIZE + len(data)
        body = b"".join(pieces)
        write_file(self._path(number), body + hashlib.sha256(body).digest())
        self._sizes[number] = len(body)
        self._know(places)

    def _know(self, places: dict[str, _Place | None]) -> None:
        for session, place in places.items():
            self._places.pop(session, None)
            if place is not None:
                self._places[session] = place

    def _merge(self) -> None:
        """Make one file of the latest ones, as many as are together no smaller than each before them."""
        numbers = sorted(self._sizes)
        first = len(numbers) - _MANY // 2
        while first and self._sizes[numbers[first - 1]] <= sum(self._sizes[number] for number in numbers[first:]):
            first -= 1
        merged = numbers[first:]
        entries: dict[str, _Entry] = {}
        for number in merged:
            for _, entry in self._entries(number):
                entries.pop(entry.session, None)
                entries[entry.session] = entry
        before = time.time() - self._keep
        kept = [entry for entry in entries.values() if entry.put > before]
        order = self._places
        self._write(merged[-1], kept)
        # What was put meanwhile is nothing: one call runs at a time. The order of all others stays the same.
        self._places = dict(sorted(order.items(), key=lambda item: item[1].put))
        for number in merged[:-1]:
            self._path(number).unlink()
            del self._sizes[number]

    def _open(self, number: int) -> None:
        """Learn what is in a file that an earlier server wrote."""
        try:
            found = list(self._entries(number))
        except (ValueError, msgspec.DecodeError):
            _log.warning("%s is damaged and is not read", self._path(number))
            self._path(number).rename(self._path(number).with_suffix(".damaged"))
            return
        before = time.time() - self._keep
        self._sizes[number] = self._path(number).stat().st_size
        self._know({entry.session: None if entry.gone or entry.put < before else place for place, entry in found})

    def _entries(self, number: int) -> Iterator[tuple[_Place, _Entry]]:
        data = self._path(number).read_bytes()
        body, end = data[:-_DIGEST], len(data) - _DIGEST
        if hashlib.sha256(body).digest() != data[-_DIGEST:] or not body.startswith(_MARK):
            raise ValueError("damaged")
        offset, view = len(_MARK), memoryview(body)
        while offset < end:
            size = int.from_bytes(body[offset : offset + _SIZE])
            offset += _SIZE
            entry = _entries.decode(view[offset : offset + size])
            yield _Place(number, offset, size, entry.put), entry
            offset += size

    def _read(self, places: Sequence[_Place | None]) -> list[Record | Exception | None]:
        found: list[Record | Exception | None] = [None] * len(places)
        by_file: dict[int, list[tuple[int, _Place]]] = {}
        for index, place in enumerate(places):
            if place is not None:
                by_file.setdefault(place.file, []).append((index, place))
        for number, its in by_file.items():
            try:
                with self._path(number).open("rb", buffering=0) as file:
                    for index, place in its:
                        found[index] = _record(os.pread(file.fileno(), place.size, place.offset))
            except OSError as error:
                for index, _ in its:
                    found[index] = found[index] or error
        return found

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010}{_SUFFIX}"


def _record(entry: bytes) -> Record | Exception:
    try:
        return decoded_record(_entries.decode(entry).record)
    except msgspec.DecodeError as error:
        return error
