"""Long texts as the values of steps: they are taken beside the ticks."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from serving.loopback import Loopback, Said, serving

from unrolled.runs.trained import Trained
from unrolled.serving.long_values import _TURN, LongValues, _short_turns

LONG = "the dog ran to a log 1." * 20


class Held:
    """Long values wait until they may go on."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Event()
        self._push = LongValues._push

    def __call__(self, values: LongValues, *given: Any) -> Any:
        self.begun.release()
        assert self.free.wait(20)
        return self._push(values, *given)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held()
    monkeypatch.setattr(LongValues, "_push", lambda *given: found(*given))
    yield found
    found.free.set()


@pytest.fixture
def pushed(writing: Loopback, held: Held) -> Iterator[tuple[str, Callable[[Any], Said], Any]]:
    """A session, how to step it, and a long step of it that is held."""
    id_ = writing.ask("POST", "/v1/sessions").json["session"]

    def push(value: Any) -> Said:
        return writing.ask("POST", f"/v1/sessions/{id_}/steps", {"x": value})

    assert push("the").status == 200
    with ThreadPoolExecutor(1) as client:
        long = client.submit(push, LONG)
        assert held.begun.acquire(timeout=20)
        yield id_, push, long
        held.free.set()


def test_long_and_short_values_of_a_session_follow_each_other(writing: Loopback, writer: Trained) -> None:
    values, live = ["the", LONG, " dog", LONG * 20, "x"], writer.stream()
    with writing.connect() as one:
        one.recv(20)
        one.send(json.dumps({"xs": values}))
        said = json.loads(one.recv(20))
        assert said["ys"] == [live.push(value) for value in values[:3]]  # the next one has too many steps
        assert said["error"]["type"] == "DataError"
        one.send(json.dumps({"n": 4, "x": LONG}))
        assert json.loads(one.recv(20)) == {"n": 4, "y": live.push(LONG)}


def test_nobody_else_waits_for_a_long_value(writing: Loopback, held: Held, pushed: Any, writer: Trained) -> None:
    _, _, long = pushed
    other, live = writing.ask("POST", "/v1/sessions").json["session"], writer.stream()
    for value in ("the", " dog"):
        said = writing.ask("POST", f"/v1/sessions/{other}/steps", {"x": value})
        assert said.json["y"] == live.push(value)
    held.free.set()
    live = writer.stream()
    live.push("the")
    assert long.result(20).json == {"n": 2, "y": live.push(LONG)}


def test_a_session_is_closed_meanwhile(writing: Loopback, held: Held, pushed: Any) -> None:
    id_, push, long = pushed
    assert writing.ask("DELETE", f"/v1/sessions/{id_}").status == 204
    held.free.set()
    assert long.result(20).status == 400
    assert push("the").status == 404


def test_it_came_too_late(writer: Trained, held: Held) -> None:
    held.free.set()
    with serving({"texts": writer}, deadline=1e-4) as server:
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        assert server.ask("POST", f"/v1/sessions/{id_}/steps", {"x": LONG}).status == 504


def test_the_end_refuses_it_and_its_session_is_as_before(writer: Trained, held: Held) -> None:
    with serving({"texts": writer}) as server, ThreadPoolExecutor(1) as client:
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        long = client.submit(server.ask, "POST", f"/v1/sessions/{id_}/steps", {"x": LONG})
        assert held.begun.acquire(timeout=20)
        model = server.service.models.find(None)
        loop = server.service._tasks[0].get_loop()
        asyncio.run_coroutine_threadsafe(server.service.models.stop(), loop).result(20)
        assert long.result(20).json["error"]["type"] == "Draining"
        held.free.set()
        session = server.service.sessions.here(id_)
        assert session is not None
        assert model.batcher.pool.steps_of(session.handle) == session.n == 0


def test_turns_are_short_until_the_last_long_value_is_taken() -> None:
    """Also where they end in the order in which they began."""
    usual = sys.getswitchinterval()

    async def take(free: asyncio.Event) -> None:
        with _short_turns():
            await free.wait()

    async def test() -> None:
        events = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(take(event)) for event in events]
        await asyncio.sleep(0)
        for event, task in zip(events, tasks, strict=True):
            assert sys.getswitchinterval() == pytest.approx(_TURN)
            event.set()
            await task
        assert sys.getswitchinterval() == usual

    asyncio.run(test())
