"""Where sessions are kept that are not in memory: in this process, a folder, or a server that several share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

__all__ = ["MemoryStore", "Record", "Store", "decoded_record", "encoded_record"]


class Record(Struct, array_like=True, frozen=True):
    """A session as a store keeps it.

    Attributes:
        session: its id.
        model: the fingerprint of the weights.
        n: how many steps it has taken.
        last: the answers of the last steps.
        state: a snapshot, as `Pool.open` takes it.
        name: of the model.
        past: its last values, where new weights are to read them again.
    """

    session: str
    model: str
    n: int
    last: list[dict[str, Any]]
    state: bytes
    name: str = ""
    past: list[Any] = []


_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_decoder = msgspec.msgpack.Decoder(Record)


def encoded_record(record: Record) -> bytes:
    """A record as a store writes it."""
    return _encoder.encode(record)


def decoded_record(data: bytes | msgspec.Raw) -> Record | Exception:
    """The inverse of `encoded_record`, or what is wrong with the bytes."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        return error


class Store(Protocol):
    """Keeps sessions. A session belongs to the server that last took it, and only that one may put it.

    Attributes:
        durable: whether what it keeps outlives this process.
        shared: whether several servers use it, so that another one may take a session that is in memory here.
    """

    durable: bool
    shared: bool = False

    async def put(self, records: Sequence[Record]) -> Sequence[str]:
        """Keep these, all or none, in place of their older records; returns the ids that another server has taken."""

    async def take(self, sessions: Sequence[str]) -> list[Record | Exception | None]:
        """The newest record of each of these sessions, which then belong to this server; ``None`` if there is no such
        session, or the error with which its record could not be read.
        """

    async def owns(self, session: str) -> bool:
        """Whether no other server has taken a session since this one has; always, unless the store is shared."""
        return True

    async def drop(self, session: str) -> None:
        """Forget a session."""

    async def sweep(self) -> None:
        """Forget the sessions that were put too long ago."""

    async def close(self) -> None:
        """Give back what it holds open."""


class MemoryStore(Store):
    """Keeps sessions in this process.

    Args:
        keep: for how many seconds.
    """

    durable = False

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._records: dict[str, tuple[float, Record]] = {}  # the oldest first

    async def put(self, records: Sequence[Record]) -> Sequence[str]:
        now = time.monotonic()
        for record in records:
            self._records.pop(record.session, None)
            self._records[record.session] = now, record
        return ()

    async def take(self, sessions: Sequence[str]) -> list[Record | Exception | None]:
        found = [self._records.pop(session, None) for session in sessions]
        return [None if one is None else one[1] for one in found]

    async def drop(self, session: str) -> None:
        self._records.pop(session, None)

    async def sweep(self) -> None:
        before = time.monotonic() - self._keep
        while self._records and next(iter(self._records.values()))[0] < before:
            del self._records[next(iter(self._records))]

    async def close(self) -> None:
        self._records.clear()
