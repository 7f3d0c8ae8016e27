"""A server on the loopback address, in a thread of the tests, and a client that says little."""

from __future__ import annotations

import asyncio
import faulthandler
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import ClientConnection, connect

from unrolled.runs.trained import Trained
from unrolled.serving.app import app
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.server import Server
from unrolled.serving.service import Service
from unrolled.serving.store import Store

__all__ = ["Loopback", "Said", "serving"]


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Loopback:
    """A server that runs in a thread."""

    port: int
    service: Service

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs in."""
        loop: asyncio.AbstractEventLoop = self.service._tasks[0].get_loop()
        return loop

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, dict(headers or {}))
            found = connection.getresponse()
            return Said(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            connection.close()

    def connect(self, path: str = "/v1/live", **options: Any) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}{path}", close_timeout=2, proxy=None, **options)


@contextmanager
def serving(
    models: Mapping[str, Trained], *, tokens: tuple[str, ...] = (), store: Store | None = None, **options: Any
) -> Iterator[Loopback]:
    """A server with these models, as long as the block lasts."""
    asked = ServeOptions.check({"port": 0, "drain": 2.0, **options})
    application = app(models, asked, tokens=tokens, store=store)
    listens, ports = threading.Event(), []

    def started(port: int) -> None:
        ports.append(port)
        listens.set()

    server = Server(application, asked, started)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert listens.wait(20)
        yield Loopback(ports[0], application.state.service)
    finally:
        server.should_exit = True
        thread.join(20)
        if thread.is_alive():
            faulthandler.dump_traceback()  # what each thread does
            loop = application.state.service._tasks[0].get_loop()
            raise AssertionError(f"the server does not end; it waits for {[*map(str, asyncio.all_tasks(loop))]}")
