"""Long runs (``make soak``): a thousand sessions for ten minutes, servers that are killed, and memory that stays flat."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving.processes import running
from serving.pushing import Clients, Servers, under_way, value

from unrolled.runs.trained import Trained

MOST_GROWTH = 16.0  # MiB


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_thousand_sessions_while_servers_end_and_are_killed(
    load: Trained, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    chance, seconds = random.Random(0), times(2, 600)
    memory: list[list[float]] = [[]]
    with contextlib.ExitStack() as stack:
        assert load.folder is not None
        servers = Servers(load.folder, tmp_path / "sessions", stack, seconds=1200)
        clients = Clients(servers.one.url, times(20, 1000))

        def event() -> None:
            """Look at the memory six times, then end the server or kill it."""
            for _ in range(6):
                memory[-1].append(servers.one.mebibytes)
                time.sleep(seconds / 120)
            servers.again(chance.choice([signal.SIGTERM, signal.SIGKILL]))
            memory.append([])

        def events() -> Any:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                yield event

        asyncio.run(under_way(clients, events(), lambda: seconds / 200))
    assert set(servers.codes) <= {143, -9}
    assert clients.check(load) >= 2 * len(clients.sessions)
    last = [one[-1] for one in memory if len(one) == 6]
    assert max(last) - last[0] < MOST_GROWTH, last  # a later server holds no more than the first one
    assert max(one[-1] - one[1] for one in memory if len(one) == 6) < MOST_GROWTH


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_sessions_that_come_and_go_leave_nothing(load: Trained, times: Callable[[int, int], int]) -> None:
    """S22: opened, stepped, closed."""
    assert load.folder is not None
    count, held = times(300, 100_000), []
    with running(load.folder, seconds=1200) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

        def ask(method: str, path: str, body: Any = None) -> bytes:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            return connection.getresponse().read()

        for turn in range(count):
            session = json.loads(ask("POST", "/v1/sessions"))["session"]
            answers = json.loads(ask("POST", "/v1/steps", [[session, 1, value(turn, 0)]]))
            assert "error" not in answers[0][2]
            assert ask("DELETE", f"/v1/sessions/{session}") == b""
            if turn in (count // 10, count - 1):
                held.append(server.mebibytes)
        connection.close()
    assert held[1] - held[0] < MOST_GROWTH
