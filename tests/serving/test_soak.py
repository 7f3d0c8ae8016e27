"""Long runs (``make soak``): a thousand sessions for ten minutes, servers that end, are killed and load new weights, and
memory that stays flat.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families
from serving.processes import Running, running
from serving.pushing import Clients, Servers, under_way, value

from unrolled.client import Client
from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained

Ask = Callable[..., bytes]

MOST_GROWTH = 16.0  # MiB
MOST_SERIES = 200


class Reloads:
    """New weights for a server, and the ones before again: sessions under way notice nothing."""

    def __init__(self, run: Path) -> None:
        self._run, self._old, self._new = run, open_run(run), open_run(run)
        with torch.no_grad():
            for weight in self._new.network.parameters():
                weight.mul_(0.5)
        self.count = 0

    def __call__(self, server: Running) -> None:
        client = Client(server.url, timeout=20)
        for trained in (self._new, self._old):
            trained.save(self._run, overwrite=True)
            with asking(server) as ask:
                ask("POST", "/v1/reload")
            live, values = trained.stream(), [value(n, 0) for n in range(5)]
            with client.session() as session:
                assert [session.push(one) for one in values] == [live.push(one) for one in values]
            assert client.predict(values) == trained.predict(values).to_pylist()
            self.count += 1


@contextlib.contextmanager
def asking(server: Running) -> Iterator[Ask]:
    """Ask one thing after another over the same connection."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:

        def ask(method: str, path: str, body: Any = None) -> bytes:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status < 300, said
            return said

        yield ask


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_thousand_sessions_while_servers_end_are_killed_and_reload(
    load: Trained, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    chance, seconds, full = random.Random(0), times(2, 600), times(0, 1)
    memory: list[list[float]] = [[]]
    with contextlib.ExitStack() as stack:
        assert load.folder is not None
        run = Path(shutil.copytree(load.folder, tmp_path / "run"))
        servers, reloads = Servers(run, tmp_path / "sessions", stack, seconds=1800), Reloads(run)
        clients = Clients(servers.one.url, times(20, 1000))

        def event() -> None:
            """Look at the memory six times, and load new weights between; then end the server or kill it."""
            for turn in range(6):
                memory[-1].append(servers.one.mebibytes)
                time.sleep(seconds / 120)
                if full and turn in (0, 3):  # a prediction starts a process
                    reloads(servers.one)
            servers.again(chance.choice([signal.SIGTERM, signal.SIGKILL]))
            memory.append([])

        def events() -> Any:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                yield event

        asyncio.run(under_way(clients, events(), lambda: seconds / 200))
    assert set(servers.codes) <= {143, -9}
    answers = clients.check(load)
    assert answers >= 2 * len(clients.sessions)
    last = [one[-1] for one in memory if len(one) == 6]
    print(f"{answers} answers, {reloads.count} reloads, ends {servers.codes}, MiB {memory}")
    assert max(last) - last[0] < MOST_GROWTH, last  # a later server holds no more than the first one
    assert max(one[-1] - one[1] for one in memory if len(one) == 6) < MOST_GROWTH


def come_and_go(ask: Ask, turn: int) -> None:
    """A hundred sessions that are opened, stepped and closed."""
    ids = [json.loads(ask("POST", "/v1/sessions"))["session"] for _ in range(100)]
    answers = json.loads(ask("POST", "/v1/steps", [[id_, 1, value(turn, of)] for of, id_ in enumerate(ids)]))
    assert all("error" not in answer for _, _, answer in answers)
    for id_ in ids:
        assert ask("DELETE", f"/v1/sessions/{id_}") == b""


def predict(ask: Ask, turn: int) -> None:
    rows = json.loads(ask("POST", "/v1/predict", {"rows": [value(turn, of) for of in range(5)]}))["rows"]
    assert len(rows[0]["load_predicted"]) == 2


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("does", "quick", "full"), [(come_and_go, 10, 1_000), (predict, 0, 100_000)])
def test_what_comes_and_goes_leaves_nothing(
    load: Trained, times: Callable[[int, int], int], does: Callable[[Ask, int], None], quick: int, full: int
) -> None:
    """S22, S20."""
    if not (count := times(quick, full)):
        pytest.skip("predictions begin with a process, which takes seconds")
    assert load.folder is not None
    held = []
    with running(load.folder, seconds=3600) as server, asking(server) as ask:
        for turn in range(count):
            does(ask, turn)
            if turn in (count // 10, count - 1):
                held.append(server.mebibytes_in_all)
        metrics = ask("GET", "/metrics").decode()
    print(f"MiB {held}")
    assert held[1] - held[0] < MOST_GROWTH
    assert sum(len(family.samples) for family in text_string_to_metric_families(metrics)) <= MOST_SERIES
