"""Many sessions that push while servers end, crash and begin again, and what they should be answered."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from serving.processes import Running, running

from unrolled.client import AsyncClient
from unrolled.runs.trained import Trained

__all__ = ["STREAMS", "Clients", "Servers", "streams", "under_way", "value"]

STREAMS = 8  # different rows of values; many sessions have the same


def value(step: int, of: int) -> dict[str, float]:
    return {"load": 10 + (7 * of + step) % 11 / 10, "temp": 5 - (of + step) % 5}


def streams(load: Trained, steps: int) -> list[list[dict[str, Any]]]:
    """The answers of streams that are never interrupted."""
    found = []
    for of in range(STREAMS):
        live = load.stream()
        found.append([live.push(value(n, of)) for n in range(steps)])
    return found


class Clients:
    """Sessions that push one step after the other until they are told to stop."""

    def __init__(self, url: str, count: int, seed: int = 0) -> None:
        client, self.random = AsyncClient(url, timeout=20), random.Random(seed)
        self.sessions = [client.session() for _ in range(count)]
        self.answers: list[list[Any]] = [[] for _ in range(count)]
        self.longest_gap = 0.0  # seconds from a push to its answer
        self.stopped, self.pause = False, max(0.1, count / 500)  # seconds: no more than a thousand steps a second

    async def push(self, number: int) -> None:
        session, answers = self.sessions[number], self.answers[number]
        while not self.stopped:
            size = 1 if number % 4 else self.random.randrange(1, 5)
            begun = time.monotonic()
            answers += await session.push_many([value(len(answers) + n, number % STREAMS) for n in range(size)])
            self.longest_gap = max(self.longest_gap, time.monotonic() - begun)
            await asyncio.sleep(self.random.random() * self.pause)

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self.sessions))

    def check(self, load: Trained) -> int:
        """How many steps were answered, all of them rightly."""
        expected = streams(load, max(map(len, self.answers)))
        for number, answers in enumerate(self.answers):
            assert answers == expected[number % STREAMS][: len(answers)]
            assert self.sessions[number].n == len(answers)
        return sum(map(len, self.answers))


async def under_way(clients: Clients, then: Sequence[Callable[[], object]], seconds: Callable[[], float]) -> None:
    """Let all of them push; do one thing after another meanwhile, each when all have pushed once more.

    Args:
        clients: the sessions.
        then: what happens.
        seconds: how long to wait before it.
    """
    pushing = [asyncio.create_task(clients.push(number)) for number in range(len(clients.sessions))]
    await _each_once(clients, pushing)
    for what in then:
        await asyncio.sleep(seconds())
        await asyncio.to_thread(what)
        await _each_once(clients, pushing)
    clients.stopped = True
    await asyncio.gather(*pushing)
    await clients.close()


async def _each_once(clients: Clients, pushing: Sequence[asyncio.Task[None]]) -> None:
    before = list(map(len, clients.answers))
    for _ in range(1500):
        await asyncio.sleep(0.02)
        for one in pushing:
            if one.done():
                one.result()  # it ends early only by an error
        if all(len(answers) > count for answers, count in zip(clients.answers, before, strict=True)):
            return


class Servers:
    """One server after another, at the same port and with the same folder."""

    def __init__(self, run: Path, folder: Path, stack: contextlib.ExitStack, seconds: int = 60) -> None:
        self._run, self._folder, self._stack, self._seconds = run, folder, stack, seconds
        self.codes: list[int] = []
        self.one = self._start(0)

    def _start(self, port: int) -> Running:
        flags = ("--store", self._folder, "--checkpoint-every", "0.1")
        return self._stack.enter_context(running(self._run, *flags, port=port, seconds=self._seconds))

    def again(self, number: int) -> None:
        """End it by a signal, and start the next one."""
        self.codes.append(self.one.end(number))
        self.one = self._start(self.one.port)
