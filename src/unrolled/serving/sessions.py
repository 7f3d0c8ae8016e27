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
_AT_ONCE = 256  # snapshots that are made or opened before others get their turn
_EXPIRED = "there is no such session, or it has expired: open a new one"


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
        self._fetched: dict[str, asyncio.Future[LiveSession | Exception]] = {}  # the sessions that somebody waits for
        self._wanted: list[str] = []  # those of them that the store has not been asked for
        self._fetching: asyncio.Task[None] | None = None
        self._following: set[asyncio.Task[None]] = set()  # of those that new weights read again
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
        if len(self._live) + len(self._fetched) >= self._options.sessions:
            raise self._full()
        async with model.batcher.lock:
            session = self._begin(secrets.token_urlsafe(16), model, model.batcher.pool.open(snapshot))
        if self._store.shared:  # its next request may reach another server
            await self.save([session])
        return session

    async def find(self, id_: str) -> LiveSession:
        """The session with this id, from memory or from the store.

        Raises:
            Refused: there is no such session, or there are too many.
        """
        (found,) = await self.find_all([id_])
        if isinstance(found, LiveSession):
            return found
        raise found

    async def find_all(self, ids: Sequence[str]) -> list[LiveSession | Exception]:
        """What `find` gives for each of these ids, or the error that it raises; the store is asked once for many."""
        found = [await self._in_memory(id_) or self._from_store(id_) for id_ in ids]
        if waited := [one for one in found if isinstance(one, asyncio.Future)]:
            await asyncio.wait(waited)
        return [one.result() if isinstance(one, asyncio.Future) else one for one in found]

    async def _in_memory(self, id_: str) -> LiveSession | None:
        session = self._live.get(id_)
        if session is None or await self._store.owns(id_):
            return session
        if id_ in self._live:
            await self._give_up(session)
        return None

    def _from_store(self, id_: str) -> asyncio.Future[LiveSession | Exception]:
        """Will be the session; those that are asked for while the store is read are read together."""
        found = self._fetched.get(id_)
        if found is None:
            found = self._fetched[id_] = asyncio.get_running_loop().create_future()
            self._wanted.append(id_)
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._fetch_all())
        return found

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

    async def _fetch_all(self) -> None:
        while self._wanted:
            ids, self._wanted = self._wanted[:_AT_ONCE], self._wanted[_AT_ONCE:]
            try:
                found = await self._fetch(ids)
            except Exception as error:
                found = dict.fromkeys(ids, error)
            for id_, one in found.items():
                self._fetched.pop(id_).set_result(one)
        self._fetching = None

    async def _fetch(self, ids: Sequence[str]) -> dict[str, LiveSession | Exception]:
        """Sessions from the store; those that new weights have to read again follow later."""
        room = max(0, self._options.sessions - len(self._live))
        found: dict[str, LiveSession | Exception] = dict.fromkeys(ids[room:], self._full())
        by_model: dict[Served, list[Record]] = {}
        older: list[Record] = []
        for id_, record in zip(ids, await self._store.take(ids[:room]), strict=False):
            if not isinstance(record, Record):
                found[id_] = record or Refused("NotFound", _EXPIRED)
            elif model := next((model for model in self._models if model.identity == record.model), None):
                by_model.setdefault(model, []).append(record)
            else:
                older.append(record)
        for model, records in by_model.items():
            async with model.batcher.lock:
                handles = model.batcher.pool.open_all([record.state for record in records])
                for record, handle in zip(records, handles, strict=True):
                    one = self._live_again(record, model, handle) if isinstance(handle, int) else handle
                    found[record.session] = one
        for record in older:
            following = asyncio.create_task(self._follow(record))
            self._following.add(following)
            following.add_done_callback(self._following.discard)
        return found

    def _live_again(self, record: Record, model: Served, handle: int) -> LiveSession:
        session = self._begin(record.session, model, handle, record.past)
        session.last, session.restored = record.last, True
        session.saved = record.n if self._store.durable else -1
        return session

    async def _follow(self, record: Record) -> None:
        try:
            found: LiveSession | Exception = await self._renewed(record)
        except Exception as error:
            found = error
        self._fetched.pop(record.session).set_result(found)

    async def _renewed(self, record: Record) -> LiveSession:
        """A session of weights that are no longer served, whose last values the new ones read again."""
        model = next((one for one in self._models if one.name == record.name and not one.retired), None)
        if model is None or model.cannot_stream or not record.past or not self._options.replay:
            raise Refused("NotFound", "this session belongs to a model that is no longer served: open a new one")
        async with model.batcher.lock:
            pool = model.batcher.pool
            (handle,) = await asyncio.to_thread(read_again, pool, [record.past])
            if handle is None:
                raise Refused(
                    "NotFound", "the model that is served now does not take the last values: open a new session"
                )
            pool.renumber(handle, record.n)
            return self._live_again(record, model, handle)

    def _begin(self, id_: str, model: Served, handle: int, past: Iterable[Any] = ()) -> LiveSession:
        kept = deque(past, self._options.replay) if self._options.replay else None
        session = self._live[id_] = LiveSession(id_, model, handle, model.batcher.pool.steps_of(handle), kept)
        return session

    def _full(self) -> Refused:
        return Refused("Overloaded", f"there are {self._options.sessions} sessions already: try again later")

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
