"""What all requests share: the models, the sessions, the store, and whether the server is about to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from unrolled.errors import UnrolledError
from unrolled.runs.trained import Trained
from unrolled.serving.catalogue import Catalogue
from unrolled.serving.counters import Metrics
from unrolled.serving.generation import Generations
from unrolled.serving.live_session import LiveSession
from unrolled.serving.predictor import Predictor
from unrolled.serving.refusals import Refused, about, known
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.sessions import Sessions
from unrolled.serving.store import MemoryStore, Store
from unrolled.serving.waiting import Item, Waiting

__all__ = ["Service"]

_log = logging.getLogger("unrolled.serving")
_TIDY = 1.0  # seconds between two looks at what is idle


class Service:
    """The state of a server.

    Args:
        models: name -> model, the default one first.
        options: all of them.
        store: where sessions are kept that are not in memory.

    Attributes:
        generations: writes texts beside the sessions.
        models: those that are served.
        metrics: what Prometheus asks for.
        predictor: has predictions made beside the sessions.
        draining: whether it takes no more steps.
        sockets: the open WebSockets.
        busy: those that are between a message and its answer.
    """

    def __init__(self, models: Mapping[str, Trained], options: ServeOptions, store: Store | None = None) -> None:
        self.options = options
        self.metrics = Metrics(self._gauges, self._totals)
        self.models = self.metrics.models = Catalogue(models, options, self.metrics.watch)
        self.store = MemoryStore(options.keep) if store is None else store
        self.sessions = Sessions(self.store, options, self.models)
        self.predictor = Predictor(options, self.models)
        self.generations = Generations(options.generations)
        self.draining = False
        self.sockets: set[Any] = set()
        self.busy: set[Any] = set()
        self.trouble: str | None = None  # why sessions cannot be saved
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    def _gauges(self) -> dict[str, tuple[str, float]]:
        return {
            "sessions": ("Sessions in memory.", len(self.sessions)),
            "sockets": ("Open WebSockets.", len(self.sockets)),
            "predictions_waiting": ("Requests for predictions.", self.predictor.waiting),
            "texts": ("Texts that are being written.", self.generations.now),
            "ready": ("1 if further clients should come here.", self.unready() is None),
        }

    def _totals(self) -> dict[str, tuple[str, float]]:
        return {"tokens": ("Tokens of texts that were written.", self.generations.tokens)}

    def start(self) -> None:
        """Begin to answer, in the running loop."""
        self.models.start()
        self.generations.start()
        self._tasks.append(asyncio.create_task(self._every(_TIDY, self._tidy)))
        if self.store.durable:
            every = self.options.checkpoint_every
            self._tasks.append(asyncio.create_task(self._every(every, self.sessions.save_changed)))

    async def stop(self) -> None:
        """Take no further steps."""
        self.draining = True
        await self.models.stop()
        self._over.set()
        self.generations.stop()
        self.predictor.close()
        await asyncio.gather(*self._tasks)  # what is being saved is saved

    async def open(self, name: str | None) -> LiveSession:
        """A new session of the model of this name.

        Raises:
            Refused: there is no such model, it cannot stream, there are too many, or the server is about to end.
        """
        if self.draining:
            raise Refused("Draining", "the server is about to end: try again")
        return await self.sessions.open(self.models.find(name))

    def submit(
        self, session: LiveSession, number: int | None, values: Sequence[Any], tell: Callable[[], None] | None = None
    ) -> Item:
        """Let steps of a session wait for their turn; ``tell`` is called when they are answered.

        Raises:
            Refused: too much waits already.
        """
        session.seen = time.monotonic()
        item = Item(number, values, session.seen + self.options.deadline, Waiting(1, tell))
        session.model.batcher.submit(session, item)
        return item

    async def step(self, session: LiveSession, number: int | None, values: Sequence[Any]) -> Item:
        """Take steps of a session, when their turn comes.

        Raises:
            Refused: too much waits already.
        """
        item = self.submit(session, number, values)
        await item.waiting.done()
        return item

    async def steps(self, asked: Sequence[tuple[str, int | None, Any]]) -> list[list[Any]]:
        """Take a step of many sessions: for each its session, its number, and its answer or ``{"error": …}``.

        Where the store outlives the server, also how many steps of the session it has.
        """
        here, fetched = self.sessions.here, dict[str, LiveSession | Exception]()
        sessions: dict[str, LiveSession | Exception | None] = {id_: here(id_) for id_, _, _ in asked}
        while None in sessions.values():
            absent = [id_ for id_, session in sessions.items() if session is None]
            fetched.update(zip(absent, await self.sessions.find_all(absent), strict=True))
            # Again, as those that were in memory may have been taken out of it meanwhile.
            sessions = {id_: fetched.get(id_) or here(id_) for id_ in sessions}
        waiting, now = Waiting(len(asked)), time.monotonic()
        deadline = now + self.options.deadline
        items = []
        for id_, number, value in asked:
            item = Item(number, (value,), deadline, waiting)
            items.append(item)
            session = sessions[id_]
            try:
                if isinstance(session, LiveSession):
                    session.seen = now
                    session.model.batcher.submit(session, item)
                    continue
                assert session is not None
                item.error = known(session)
            except UnrolledError as error:
                item.error = error
            waiting.one_is_done()
        await waiting.done()
        told: list[list[Any]] = [
            [id_, item.number, item.answers[0] if item.error is None else {"error": about(item.error)}]
            for (id_, _, _), item in zip(asked, items, strict=True)
        ]
        for answer in told if self.store.durable else ():
            session = here(answer[0])
            answer.append(0 if session is None else session.saved_n)
        return told

    async def reload(self) -> dict[str, str]:
        """Load every run again, and let its sessions follow where that was asked for; what became of each run."""
        found = await self.models.reload()
        await self.sessions.renew()
        return found

    @property
    def alive(self) -> bool:
        """Whether every model answers."""
        return self.models.alive and self.generations.alive

    def unready(self) -> str | None:
        """Why no further client should come here, as a sentence; ``None`` if one may."""
        if self.draining:
            return "the server is about to end"
        if not self.alive:
            return "a model no longer answers"
        if self.trouble is not None and not self.store.shared:  # else all servers would be taken away at once
            return f"sessions cannot be saved: {self.trouble}"
        bounds = {
            "sessions": (len(self.sessions), self.options.sessions),
            "sockets": (len(self.sockets), self.options.sockets),
            "waiting": (max(model.waiting for model in self.models), self.options.waiting),
        }
        full = [name for name, (count, most) in bounds.items() if count > 0.9 * most]
        return f"nearly at its bound: {', '.join(full)}" if full else None

    async def _tidy(self) -> None:
        await self.sessions.park()
        await self.store.sweep()
        await self.models.follow()
        await self.sessions.renew()
        await self.models.forget(self.sessions.models())

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Do some work again and again; what goes wrong is said, and tried again."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), seconds)
                return
            try:
                await work()
                self.trouble = None
            except Exception as error:  # whatever it is, sessions must not stay unsaved for good
                if self.trouble is None:
                    expected = isinstance(error, UnrolledError | OSError)
                    _log.warning("sessions cannot be saved: %s", error, exc_info=not expected)
                self.trouble = str(error)
