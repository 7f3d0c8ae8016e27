"""Servers that end, crash and begin again under their clients: each answer is that of a stream that never stopped."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.processes import Running, running

from unrolled.client import AsyncClient
from unrolled.runs.trained import Trained

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
        self.stopped = False

    async def push(self, number: int) -> None:
        session, answers = self.sessions[number], self.answers[number]
        while not self.stopped:
            size = 1 if number % 4 else self.random.randrange(1, 5)
            answers += await session.push_many([value(len(answers) + n, number % STREAMS) for n in range(size)])
            await asyncio.sleep(self.random.random() * 0.1)

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self.sessions))

    def check(self, load: Trained) -> int:
        """How many steps were answered, all of them rightly."""
        expected = streams(load, max(map(len, self.answers)))
        for number, answers in enumerate(self.answers):
            assert answers == expected[number % STREAMS][: len(answers)]
            assert self.sessions[number].n == len(answers)
        return sum(map(len, self.answers))


async def under_way(clients: Clients, then: list[Callable[[], object]], seconds: Callable[[], float]) -> None:
    """Let all of them push; do one thing after another meanwhile, and let every one of them push once more after each.

    Args:
        clients: the sessions.
        then: what happens.
        seconds: how long to wait before it.
    """
    pushing = [asyncio.create_task(clients.push(number)) for number in range(len(clients.sessions))]
    for what in then:
        await asyncio.sleep(seconds())
        await asyncio.to_thread(what)
        before = list(map(len, clients.answers))
        for _ in range(600):
            await asyncio.sleep(0.02)
            if all(len(answers) > count for answers, count in zip(clients.answers, before, strict=True)):
                break
    clients.stopped = True
    await asyncio.gather(*pushing)
    await clients.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.client.patience._LONGEST", 0.2)


class Servers:
    """One server after another, at the same port and with the same folder."""

    def __init__(self, run: Path, folder: Path, stack: contextlib.ExitStack) -> None:
        self._run, self._folder, self._stack = run, folder, stack
        self.codes: list[int] = []
        self.one = self._start(0)

    def _start(self, port: int) -> Running:
        flags = ("--store", self._folder, "--checkpoint-every", "0.1")
        return self._stack.enter_context(running(self._run, *flags, port=port))

    def again(self, number: int) -> None:
        """End it by a signal, and start the next one."""
        self.codes.append(self.one.end(number))
        self.one = self._start(self.one.port)


@pytest.fixture
def servers(load: Trained, tmp_path: Path) -> Iterator[Servers]:
    assert load.folder is not None
    with contextlib.ExitStack() as stack:
        yield Servers(load.folder, tmp_path / "sessions", stack)


@pytest.mark.soak
def test_a_restart_loses_and_repeats_nothing(load: Trained, servers: Servers, times: Callable[[int, int], int]) -> None:
    """S12: SIGTERM while sessions are under way, and the next server goes on with them."""
    clients = Clients(servers.one.url, count := times(40, 200))
    asyncio.run(under_way(clients, [lambda: servers.again(signal.SIGTERM)], lambda: 0.5))
    assert servers.codes == [143]
    assert clients.check(load) > 3 * count
    assert all(session.hello["restored"] for session in clients.sessions)


@pytest.mark.soak
def test_a_crash_loses_nothing_that_the_clients_have(
    load: Trained, servers: Servers, times: Callable[[int, int], int]
) -> None:
    """S13: SIGKILL at random moments; the clients send again what was not saved."""
    chance, kills = random.Random(0), times(3, 20)
    clients = Clients(servers.one.url, 10)
    asyncio.run(under_way(clients, [lambda: servers.again(signal.SIGKILL)] * kills, lambda: 0.1 + chance.random() / 2))
    assert servers.codes == [-9] * kills
    assert clients.check(load) > 20 * kills


def test_the_streams_differ(load: Trained) -> None:
    assert all(one != other for one, other in itertools.pairwise(streams(load, 3)))
