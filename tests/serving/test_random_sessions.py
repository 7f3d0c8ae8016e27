"""Sessions in any order of events: no state crosses from one to another, none is lost, none is stepped twice (S10)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from unrolled.runs.trained import Trained
from unrolled.serving.folder_store import FolderStore
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.service import Service
from unrolled.streaming.session import Session


class Machine:
    """A server, and beside it a stream that was never interrupted for each of its sessions."""

    def __init__(self, load: Trained, folder: Path, seed: int) -> None:
        self.load, self.folder, self.chance = load, folder, random.Random(seed)
        self.streams: dict[str, Session] = {}
        self.gone: list[str] = []
        self.last: dict[str, tuple[list[Any], list[Any]]] = {}
        self.service = self.begin()

    def begin(self) -> Service:
        store = FolderStore(self.folder, 600)
        service = Service({"load": self.load}, ServeOptions(park=0.001, checkpoint_every=600), store)
        service.start()
        return service

    def some(self) -> str:
        return self.chance.choice(list(self.streams))

    def values(self) -> list[Any]:
        return [
            {"load": self.chance.uniform(8, 12), "temp": self.chance.uniform(0, 9)}
            for _ in range(self.chance.choice([1, 1, 3]))
        ]

    async def open(self) -> None:
        session = await self.service.open(None)
        self.streams[session.id] = self.load.stream()

    async def push(self) -> None:
        """Some at the same time, each with the number of its step or without."""
        await asyncio.gather(*(self.push_to(id_) for id_ in {self.some() for _ in range(4)}))

    async def push_to(self, id_: str) -> None:
        stream, values = self.streams[id_], self.values()
        session = await self.service.sessions.find(id_)
        assert session.n == stream.steps
        item = await self.service.step(session, self.chance.choice([None, stream.steps + 1]), values)
        assert item.error is None
        assert item.answers == [stream.push(value) for value in values]
        self.last[id_] = values, item.answers

    async def replay(self) -> None:
        id_ = self.some()
        if id_ not in self.last:
            return
        values, answers = self.last[id_]
        session = await self.service.sessions.find(id_)
        item = await self.service.step(session, session.n - len(values) + 1, values)
        assert (item.answers, session.n) == (answers, self.streams[id_].steps)

    async def bad(self) -> None:
        id_ = self.some()
        session = await self.service.sessions.find(id_)
        item = await self.service.step(session, None, [self.chance.choice([None, 5, {}, {"load": "x", "temp": 1}])])
        assert item.error is not None
        assert session.n == self.streams[id_].steps

    async def cancel(self) -> None:
        """A client that goes away at any point of a step."""
        id_, values = self.some(), self.values()
        session = await self.service.sessions.find(id_)
        task = asyncio.create_task(self.service.step(session, None, values))
        for _ in range(self.chance.randrange(5)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while session.items:
            await asyncio.sleep(0)
        stream = self.streams[id_]
        taken = values[: session.n - stream.steps]
        answers = [stream.push(value) for value in taken]
        if taken:
            assert session.last[-len(taken) :] == answers
            self.last[id_] = taken, answers

    async def park(self) -> None:
        await asyncio.sleep(0.002)
        await self.service.sessions.park()
        assert len(self.service.sessions) == 0

    async def close(self) -> None:
        id_ = self.some()
        await self.service.sessions.close(await self.service.sessions.find(id_))
        del self.streams[id_]
        self.gone.append(id_)

    async def missing(self) -> None:
        for id_ in self.gone[-3:]:
            with pytest.raises(Refused):
                await self.service.sessions.find(id_)

    async def move(self) -> None:
        """A session goes on from the state of another."""
        one, two = self.some(), self.some()
        source = await self.service.sessions.find(one)
        state = self.service.models.find(None).batcher.pool.snapshot(source.handle)
        await self.service.sessions.replace(await self.service.sessions.find(two), state)
        self.streams[two] = self.load.stream(self.streams[one].snapshot())
        self.last.pop(two, None)

    async def restart(self) -> None:
        await self.end()
        self.service = self.begin()

    async def end(self) -> None:
        await self.service.stop()
        await self.service.sessions.save_all()
        await self.service.store.close()


@pytest.mark.soak
def test_any_order_of_events_gives_what_streams_give(load: Trained, tmp_path: Path, times: Any) -> None:
    async def running() -> None:
        machine = Machine(load, tmp_path, seed=1)
        events = [
            *(machine.open,) * 2,
            *(machine.push,) * 8,
            *(machine.replay, machine.bad, machine.park, machine.move) * 2,
            *(machine.cancel,) * 4,
            *(machine.close, machine.missing, machine.restart),
        ]
        for _ in range(times(250, 2_000)):
            if len(machine.streams) < 3:
                await machine.open()
            await machine.chance.choice(events)()
        for id_ in list(machine.streams):
            await machine.push_to(id_)
        assert machine.service.models.find(None).waiting == 0
        await machine.end()

    asyncio.run(running())
