"""Which sessions there are: in memory, or in the store; under ids that nobody can guess."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.served import Served
from unrolled.serving.store import Record, Store
from unrolled.serving.waiting import Item

__all__ = ["RESTART", "LiveSession", "Sessions"]

RESTART = 1012  # the code of a connection after whose end the client connects again


_SURE = 1.0  # seconds after its last use for which a session counts as one of this server
_AT_ONCE = 64  # snapshots that are made before others get their turn


class LiveSession:
    """A session in memory.

    Attributes:
        id: what clients call it.
        model: whose session it is.
        handle: its state in the model's pool.
        n: how many steps it has taken.
        last: the answers of the last of them, at least one.
        items: what waits for a step, the oldest first.
        seen: when it was last used, on the monotonic clock.
        saved: how many steps the store knows of; -1 if it does not know the session.
        restored: whether it came from the store.
        socket: the connection that it belongs to, if there is one.
    """

    __slots__ = ("handle", "id", "items", "last", "model", "n", "restored", "saved", "seen", "socket")

    def __init__(self, id_: str, model: Served, handle: int, n: int = 0) -> None:
        self.id, self.model, self.handle, self.n = id_, model, handle, n
        self.last: list[dict[str, Any]] = []
        self.items: deque[Item] = deque()
        self.seen = time.monotonic()
        self.saved, self.restored = -1, False
        self.socket: object | None = None

    def taken(self, answers: list[dict[str, Any]], steps: int) -> None:
        """Count steps, the last ones of ``answers``."""
        self.n += steps
        self.last = answers

    @property
    def saved_n(self) -> int:
        """How many steps the store knows of, for clients."""
        return max(0, self.saved)

    @property
    def at_rest(self) -> bool:
        """Whether nobody uses it."""
        return not self.items and self.socket is None


class Sessions:
    """The sessions of a server.

    Args:
        store: where those go that nobody uses.
        options: of the server.
        models: the models that a stored session may belong to.
    """

    def __init__(self, store: Store, options: ServeOptions, models: Iterable[Served]) -> None:
        self._store, self._options, self._models = store, options, models
        self._live: dict[str, LiveSession] = {}
        self._fetching: dict[str, asyncio.Task[LiveSession]] = {}
        self._saves = 0  # that are under way
        self._ended: set[str] = set()  # the sessions that were closed meanwhile

    def __len__(self) -> int:
        return len(self._live)

    def here(self, id_: str) -> LiveSession | None:
        """The session with this id, if it is in memory, and surely still belongs to this server."""
        found = self._live.get(id_)
        if not self._store.shared or found is None:
            return found
        return None if time.monotonic() - found.seen > _SURE and not found.items else found

    async def open(self, model: Served, snapshot: bytes | None = None) -> LiveSession:
        """A new session.

        Args:
            model: of which model.
            snapshot: where it goes on from.

        Raises:
            Refused: the model cannot stream, or there are too many sessions.
            ModelError: the snapshot is not one of this model.
        """
        session = await self._opened(secrets.token_urlsafe(16), model, snapshot)
        if self._store.shared:  # its next request may reach another server
            await self.save([session])
        return session

    async def find(self, id_: str) -> LiveSession:
        """The session with this id, from memory or from the store.

        Raises:
            Refused: there is no such session, or there are too many.
        """
        if session := self._live.get(id_):
            if await self._store.owns(id_):
                return session
            if id_ in self._live:
                await self._give_up(session)
        task = self._fetching.get(id_)
        if task is None:
            task = self._fetching[id_] = asyncio.create_task(self._fetch(id_))
            task.add_done_callback(lambda _: self._fetching.pop(id_, None))
        return await asyncio.shield(task)

    async def replace(self, session: LiveSession, snapshot: bytes) -> None:
        """Let a session go on from another state.

        Raises:
            Refused: steps of it wait.
            ModelError: the snapshot is not one of its model.
        """
        batcher = session.model.batcher
        async with batcher.lock:
            if session.items:
                raise Refused("Conflict", "steps of this session wait: send the snapshot after their answers")
            handle = batcher.pool.open(snapshot)
            batcher.pool.close(session.handle)
            session.handle, session.n, session.last = handle, batcher.pool.steps_of(handle), []
            session.saved = -1

    async def close(self, session: LiveSession) -> None:
        """End a session, for good."""
        self._live.pop(session.id, None)
        if self._saves:
            self._ended.add(session.id)
        await self._store.drop(session.id)
        await self._forget(session)

    async def save(self, sessions: Iterable[LiveSession]) -> int:
        """Put sessions into the store; how many they are.

        Raises:
            SpaceError: the store is full; what it held before is intact.
        """
        self._saves += 1
        try:
            return await self._save(sessions)
        finally:
            self._saves -= 1
            if not self._saves:
                self._ended.clear()

    async def _save(self, sessions: Iterable[LiveSession]) -> int:
        by_model: dict[Served, list[LiveSession]] = {}
        for session in sessions:
            by_model.setdefault(session.model, []).append(session)
        records: list[Record] = []
        for model, its in by_model.items():
            for few in (its[start : start + _AT_ONCE] for start in range(0, len(its), _AT_ONCE)):
                async with model.batcher.lock:
                    records += [_record(model, session) for session in few if session.id in self._live]
                await asyncio.sleep(0)
        lost = set(await self._store.put(records))
        for record in records:
            found = self._live.get(record.session)
            if found is None:
                if record.session in self._ended:  # closed while it was put
                    await self._store.drop(record.session)
                continue
            if record.session in lost:
                await self._give_up(found)
            else:
                found.saved = record.n
        return len(records)

    def models(self) -> set[Served]:
        """The models that a session in memory belongs to."""
        return {session.model for session in self._live.values()}

    async def save_all(self) -> int:
        """Put every session into the store; how many they are."""
        return await self.save(list(self._live.values()))

    async def save_changed(self) -> int:
        """Put the sessions that changed since the last time into the store; how many they are."""
        return await self.save([session for session in self._live.values() if session.saved != session.n])

    async def park(self) -> int:
        """Take sessions that nobody has used for long out of memory; the store keeps them. How many they are."""
        now = time.monotonic()
        rest = [session for session in self._live.values() if session.at_rest]
        for session in rest:  # earlier weights are given up with their last session in memory, so these stay here
            if session.model.retired and session.seen < now - self._options.keep:
                await self.close(session)
        before = now - self._options.park
        idle = [session for session in rest if session.seen < before and not session.model.retired]
        await self.save([session for session in idle if session.saved != session.n])
        parked = 0
        for session in idle:  # each is looked at when its turn comes: it may have been used meanwhile
            still = session.at_rest and session.saved == session.n and self._live.get(session.id) is session
            if still:
                del self._live[session.id]
                await self._forget(session)
                parked += 1
        return parked

    async def _fetch(self, id_: str) -> LiveSession:
        record = await self._store.take(id_)
        if record is None:
            raise Refused("NotFound", "there is no such session, or it has expired: open a new one")
        model = next((model for model in self._models if model.identity == record.model), None)
        if model is None:
            raise Refused("NotFound", "this session belongs to a model that is no longer served: open a new one")
        session = await self._opened(id_, model, record.state)
        session.last, session.restored = record.last, True
        session.saved = record.n if self._store.durable else -1
        return session

    async def _opened(self, id_: str, model: Served, snapshot: bytes | None) -> LiveSession:
        if len(self._live) >= self._options.sessions:
            raise Refused("Overloaded", f"there are {self._options.sessions} sessions already: try again later")
        batcher = model.batcher
        async with batcher.lock:
            handle = batcher.pool.open(snapshot)
            session = LiveSession(id_, model, handle, batcher.pool.steps_of(handle))
        self._live[id_] = session
        return session

    async def _give_up(self, session: LiveSession) -> None:
        """Let go of a session with which another server goes on; its client is told to connect again."""
        if self._live.get(session.id) is session:
            del self._live[session.id]
        batcher = session.model.batcher
        async with batcher.lock:
            batcher.refuse(session, Refused("Draining", "another server goes on with this session: connect again"))
            batcher.pool.close(session.handle)
        if isinstance(session.socket, WebSocket):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await session.socket.close(RESTART, "another server goes on with this session")

    async def _forget(self, session: LiveSession) -> None:
        async with session.model.batcher.lock:
            session.model.batcher.pool.close(session.handle)


def _record(model: Served, session: LiveSession) -> Record:
    state = model.batcher.pool.snapshot(session.handle)
    return Record(session.id, model.identity, session.n, session.last, state)
