"""Which sessions there are: in memory, or in the store; under ids that nobody can guess."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from unrolled.serving.live_session import LiveSession
from unrolled.serving.refusals import Refused
from unrolled.serving.renewal import held, read_again, renew
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.served import Served
from unrolled.serving.store import Record, Store

__all__ = ["RESTART", "Sessions"]

_log = logging.getLogger("unrolled.serving")

RESTART = 1012  # the code of a connection after whose end the client connects again


_SURE = 1.0  # seconds after its last use for which a session counts as one of this server
_AT_ONCE = 256  # snapshots that are made before others get their turn


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
        async with held(session) as batcher:
            if session.items:
                raise Refused("Conflict", "steps of this session wait: send the snapshot after their answers")
            handle = batcher.pool.open(snapshot)
            batcher.pool.close(session.handle)
            session.handle, session.n, session.last = handle, batcher.pool.steps_of(handle), []
            session.saved = -1
            if session.past is not None:
                session.past.clear()

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
                    here = [session for session in few if session.id in self._live]
                    records += _records(model, [session for session in here if session.model is model])
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

    async def renew(self) -> None:
        """Let the sessions of older weights go on with the new ones, which read their last values again."""
        old = [session for session in self._live.values() if session.model.retired and session.past is not None]
        for name in {session.model.name for session in old}:
            new = next((model for model in self._models if model.name == name and not model.retired), None)
            if new is None or new.cannot_stream is not None:
                continue
            its = [session for session in old if session.model.name == name]
            moved = await renew(its, new)
            await self.save(moved)
            _log.info("%d of %d sessions of %s go on with the new weights", len(moved), len(its), name)

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
        if model is not None:
            session = await self._opened(id_, model, record.state, record.past)
        else:
            session = await self._renewed(record)
        session.last, session.restored = record.last, True
        session.saved = record.n if self._store.durable else -1
        return session

    async def _renewed(self, record: Record) -> LiveSession:
        """A session of weights that are no longer served, whose last values the new ones read again."""
        model = next((one for one in self._models if one.name == record.name and not one.retired), None)
        if model is None or model.cannot_stream or not record.past or not self._options.replay:
            raise Refused("NotFound", "this session belongs to a model that is no longer served: open a new one")
        session = await self._opened(record.session, model, None, record.past)
        async with held(session) as batcher:
            (handle,) = await asyncio.to_thread(read_again, batcher.pool, [record.past])
            if handle is not None:
                batcher.pool.close(session.handle)
                batcher.pool.renumber(handle, record.n)
                session.handle, session.n = handle, record.n
                return session
        await self._forget(self._live.pop(session.id))
        raise Refused("NotFound", "the model that is served now does not take the last values: open a new session")

    async def _opened(self, id_: str, model: Served, snapshot: bytes | None, past: Iterable[Any] = ()) -> LiveSession:
        if len(self._live) >= self._options.sessions:
            raise Refused("Overloaded", f"there are {self._options.sessions} sessions already: try again later")
        kept = deque(past, self._options.replay) if self._options.replay else None
        batcher = model.batcher
        async with batcher.lock:
            handle = batcher.pool.open(snapshot)
            session = LiveSession(id_, model, handle, batcher.pool.steps_of(handle), kept)
        self._live[id_] = session
        return session

    async def _give_up(self, session: LiveSession) -> None:
        """Let go of a session with which another server goes on; its client is asked to connect again."""
        if self._live.get(session.id) is session:
            del self._live[session.id]
        async with held(session) as batcher:
            batcher.refuse(session, Refused("Draining", "another server goes on with this session: connect again"))
            batcher.pool.close(session.handle)
        if isinstance(session.socket, WebSocket):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await session.socket.close(RESTART, "another server goes on with this session")

    async def _forget(self, session: LiveSession) -> None:
        async with held(session) as batcher:
            batcher.pool.close(session.handle)


def _records(model: Served, sessions: Sequence[LiveSession]) -> list[Record]:
    states = model.batcher.pool.snapshots([session.handle for session in sessions])
    return [
        Record(one.id, model.identity, one.n, one.last, state, model.name, list(one.past or ()))
        for one, state in zip(sessions, states, strict=True)
    ]
