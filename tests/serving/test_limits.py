"""Limits of connections and requests, and what the server says of its health, over real connections."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from serving.loopback import Loopback, serving
from serving.test_catalogue import within
from serving.test_sockets import ask, value
from websockets.exceptions import InvalidStatus

from unrolled.runs.trained import Trained
from unrolled.serving import service
from unrolled.serving.direct import Link


@pytest.fixture
def tight(load: Trained) -> Iterator[Loopback]:
    with serving({"load": load}, sockets=1, handshake=0.2, deadline=0.3, sessions=3) as server:
        yield server


def said(server: Loopback, data: bytes) -> tuple[bytes, float]:
    """What comes back until the connection ends, and after how long."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        found = b""
        try:
            while piece := connection.recv(65_536):
                found += piece
        except ConnectionResetError:
            pass
    return found, time.monotonic() - start


def test_requests_that_never_end_are_ended(tight: Loopback) -> None:
    for head in (b"", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"):
        found, took = said(tight, head)
        assert (found, 0.1 < took < 3) == (b"", True)
    long, _ = said(tight, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000)
    assert long == b""
    start = b"POST /v1/steps HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\n["
    found, took = said(tight, start)
    assert (found.startswith(b"HTTP/1.1 408"), 0.2 < took < 3) == (True, True)
    assert tight.ask("GET", "/healthz").status == 200


def test_bounds_of_the_server_are_503_with_a_time(tight: Loopback) -> None:
    with tight.connect() as one:
        one.recv(20)
        with pytest.raises(InvalidStatus) as refused:
            tight.connect()
        response = refused.value.response
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        ready = tight.ask("GET", "/readyz")
        assert (ready.status, ready.json["reason"]) == (503, "nearly at its bound: sockets")
        for _ in range(2):
            assert tight.ask("POST", "/v1/sessions").status == 201
        full = tight.ask("POST", "/v1/sessions")
        assert (full.status, full.json["error"]["type"], full.headers["retry-after"]) == (503, "Overloaded", "1")
        assert ask(one, {"x": value(1)})["n"] == 1  # those that are in are not harmed


def test_health_says_that_a_tick_hangs_or_the_batcher_died(load: Trained, caplog: pytest.LogCaptureFixture) -> None:
    with serving({"load": load}) as server:
        batcher = server.service.models.find(None).batcher
        batcher._since = time.monotonic() - 31
        assert server.ask("GET", "/healthz").status == 503
        assert server.ask("GET", "/readyz").json["reason"] == "a model no longer answers"
        batcher._since = None
        assert server.ask("GET", "/healthz").status == 200
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        batcher._take = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        assert server.ask("POST", f"/v1/sessions/{id_}/steps", {"x": value(1)}).status == 503
        assert server.ask("GET", "/healthz").status == 503


def test_a_server_that_is_about_to_end_is_not_ready(load: Trained) -> None:
    with serving({"load": load}) as server:
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        loop = server.service._tasks[0].get_loop()
        asyncio.run_coroutine_threadsafe(server.service.stop(), loop).result(10)
        assert server.ask("GET", "/readyz").json == {"ready": False, "reason": "the server is about to end"}
        assert server.ask("GET", "/healthz").status == 200
        for path, body in (("/v1/sessions", None), (f"/v1/sessions/{id_}/steps", {"x": value(1)})):
            refused = server.ask("POST", path, body)
            assert (refused.status, refused.json["error"]["type"]) == (503, "Draining")
        with pytest.raises(InvalidStatus):
            server.connect()


def test_a_burst_of_messages_is_read_in_sips(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    took = Link.data_received

    def watched(self: Link, data: bytes) -> None:
        sizes.append(len(data))
        took(self, data)

    monkeypatch.setattr(Link, "data_received", watched)
    with server.connect() as one:
        one.recv(20)
        one.socket.sendall(b'\x81\x87\0\0\0\0{"x":1}' * 2_000)  # frames with a mask of zeros
        for _ in range(2_000):
            one.recv(20)
    assert max(sizes) <= 8_192


def test_a_mistake_while_sessions_are_saved_does_not_end_the_saving(
    load: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_TIDY", 0.02)
    with serving({"load": load}) as server:

        async def fails() -> None:
            raise ZeroDivisionError("no")

        def is_ready(ready: bool) -> bool:
            return (server.ask("GET", "/readyz").status == 200) is ready

        sweep, server.service.store.sweep = server.service.store.sweep, fails  # type: ignore[method-assign]
        assert within(20, lambda: is_ready(False))
        server.service.store.sweep = sweep  # type: ignore[method-assign]
        assert within(20, lambda: is_ready(True))
