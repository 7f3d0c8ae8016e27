"""Servers that end, crash and begin again under their clients: each answer is that of a stream that never stopped."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving.pushing import Clients, Servers, streams, under_way

from unrolled.runs.trained import Trained


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.client.patience._LONGEST", 0.2)


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
    assert clients.check(load) >= 2 * count
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
    assert clients.check(load) >= 10 * kills


def test_the_streams_differ(load: Trained) -> None:
    assert all(one != other for one, other in itertools.pairwise(streams(load, 3)))
