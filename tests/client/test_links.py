"""The client over real connections to a small server: cut, closed, refused, silent, asked to wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from unrolled.client import AsyncClient, Client, ServerRefused, Unreachable
from unrolled.errors import DataError, UsageError

LIMITS = {"message_steps": 4, "frame": 1 << 16}


class Small:
    """One session that adds up; ``plan`` says what goes wrong at each connection, in order."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.last: list[dict[str, float]] = []
        self.plan: list[str] = []
        self.headers: list[str | None] = []
        self.protocols: list[str | None] = []

    async def handle(self, socket: ServerConnection) -> None:
        self.protocols.append(socket.subprotocol)
        fault = self.plan.pop(0) if self.plan else ""
        if fault == "taken over":
            await socket.close(4409, "another connection has taken over this session")
            return
        await socket.send(json.dumps({"session": "a b", "n": len(self.values), "limits": LIMITS}))
        async for text in socket:
            asked = json.loads(text)
            if fault == "closing":
                await socket.send('{"closing": "restart", "retry_after_s": 0.01}')
                await socket.close(1012)
                return
            if fault == "silent":
                await socket.wait_closed()
                return
            answer = self.answer(asked)
            if fault == "cut":
                socket.transport.abort()
                return
            await socket.send(json.dumps(answer))

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        values = asked["xs"] if "xs" in asked else [asked["x"]]
        before = len(self.values) + 1 - asked["n"]
        ys = self.last[len(self.last) - before :][: len(values)]
        for value in values[len(ys) :]:
            if not isinstance(value, int | float):
                error = {"type": "DataError", "message": "is no number", "exit_code": 3}
                return {"n": asked["n"], "ys": ys, "error": error}
            self.values.append(value)
            ys.append({"sum": sum(self.values)})
            self.last = list(ys)
        return {"n": asked["n"], "ys": ys}

    def look(self, connection: ServerConnection, request: Request) -> Response | None:
        self.headers.append(request.headers.get("Authorization"))
        if not self.plan or self.plan[0] not in ("busy", "unauthorized", "proxy"):
            return None
        fault = self.plan.pop(0)
        if fault == "proxy":
            return connection.respond(502, "bad gateway")
        status, kind = (503, "Overloaded") if fault == "busy" else (401, "Unauthorized")
        error = {"type": kind, "message": kind} | ({"retry_after_s": 0.01} if fault == "busy" else {})
        return connection.respond(status, json.dumps({"error": error}))


@pytest.fixture
def small() -> Iterator[tuple[Small, str]]:
    """The server, in a thread of its own, and its address."""
    server, stop, loop = Small(), asyncio.Event(), asyncio.new_event_loop()

    async def run(started: Callable[[int], None]) -> None:
        protocols: Any = ["unrolled.v1"]
        async with serve(server.handle, "127.0.0.1", 0, subprotocols=protocols, process_request=server.look) as found:
            started(next(iter(found.sockets)).getsockname()[1])
            await stop.wait()

    with ThreadPoolExecutor(1) as pool:
        ports: asyncio.Queue[int] = asyncio.Queue()
        ended = pool.submit(loop.run_until_complete, run(ports.put_nowait))
        port = asyncio.run_coroutine_threadsafe(ports.get(), loop).result(20)
        yield server, f"http://127.0.0.1:{port}"
        loop.call_soon_threadsafe(stop.set)
        ended.result(20)
    loop.close()


Push = Callable[[Client, list[Any]], list[Any]]


def blocking(client: Client, values: list[Any]) -> list[Any]:
    with client.session() as live:
        return live.push_many(values)


def awaited(client: Client, values: list[Any]) -> list[Any]:
    async def push() -> list[Any]:
        server = client._server
        other = AsyncClient(server.url, "secret", timeout=server.timeout, patience=client._patience)
        async with other.session() as live:
            return await live.push_many(values)

    return asyncio.run(push())


@pytest.mark.parametrize("push", [blocking, awaited])
@pytest.mark.parametrize("fault", ["", "cut", "closing", "silent", "busy", "proxy"])
def test_every_value_is_taken_once(push: Push, fault: str, small: tuple[Small, str]) -> None:
    server, url = small
    server.plan = ["", fault] if fault in ("busy", "proxy") else [fault]
    client = Client(url, "secret", timeout=0.3 if fault == "silent" else 30.0)
    assert push(client, [1, 2, 3, 4, 5, 6]) == [{"sum": n} for n in (1, 3, 6, 10, 15, 21)]
    assert server.values == [1, 2, 3, 4, 5, 6]
    assert set(server.headers) == {"Bearer secret"}
    assert set(server.protocols) == {"unrolled.v1"}


@pytest.mark.parametrize("push", [blocking, awaited])
def test_what_is_final_is_raised_at_once(push: Push, small: tuple[Small, str]) -> None:
    server, url = small
    for fault, text in (("unauthorized", "Unauthorized"), ("taken over", "another connection has taken over")):
        server.plan = [fault]
        with pytest.raises(ServerRefused, match=text):
            push(Client(url), [1])
    assert server.values == []


@pytest.mark.parametrize("push", [blocking, awaited])
def test_a_value_that_is_refused_raises_what_a_local_session_raises(push: Push, small: tuple[Small, str]) -> None:
    one, error, two = push(Client(small[1]), [1, "x", 2])
    assert (one, two) == ({"sum": 1}, {"sum": 3})
    assert isinstance(error, DataError)
    with pytest.raises(DataError, match="a missing number is None"):
        push(Client(small[1]), [float("nan")])
    with pytest.raises(DataError, match="object is neither text, a number, a list nor a dictionary"):
        push(Client(small[1]), [object()])


def test_one_push_returns_its_answer_or_raises(small: tuple[Small, str]) -> None:
    with Client(small[1]).session() as live:
        assert live.push(1.5) == {"sum": 1.5}
        assert (live.id, live.n) == ("a b", 1)
        with pytest.raises(DataError, match="is no number"):
            live.push("x")
        assert live.push(1) == {"sum": 2.5}


def test_a_push_that_is_cancelled_goes_first_at_the_next_one(small: tuple[Small, str]) -> None:
    server, url = small
    server.plan = ["silent"]

    async def push() -> Any:
        async with AsyncClient(url).session() as live:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(live.push(1), 0.1)
            return await live.push(2)

    assert asyncio.run(push()) == {"sum": 3}


def test_a_server_that_is_not_there_is_tried_for_as_long_as_one_is_patient() -> None:
    with pytest.raises(Unreachable, match=r"tried for 0\.2 seconds; at last: ConnectionRefusedError"):
        Client("http://127.0.0.1:1", patience=0.2).session().push(1)
    with pytest.raises(Unreachable, match=r"tried for 0\.2 seconds"):
        Client("http://127.0.0.1:1", patience=0.2).describe()
    with pytest.raises(UsageError, match="begins with http:// or https://"):
        Client("localhost:8080")
