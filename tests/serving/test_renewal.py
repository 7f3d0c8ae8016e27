"""New weights that read the last values of each session again: the steps go on, and none is lost or taken twice."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from serving.loopback import Loopback, serving
from serving.test_catalogue import rewrite, run  # noqa: F401
from serving.test_sockets import ask, value

from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.serving.store import MemoryStore, Record


class Kept(MemoryStore):
    """A store that outlives its server, as a folder does; what it keeps is written and read as there."""

    durable = True

    async def put(self, records: Sequence[Record]) -> Sequence[str]:
        coded = [msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) for record in records]
        return await super().put(coded)


def answers(trained: Trained, first: int, last: int) -> list[dict[str, Any]]:
    """Of a stream that reads the values of these steps."""
    live = trained.stream()
    return [live.push(value(n)) for n in range(first, last + 1)]


def near(found: Any, expected: Any) -> bool:
    flat = [[number for name in sorted(one) for number in _numbers(one[name])] for one in (found, expected)]
    return flat[0] == pytest.approx(flat[1], rel=1e-5)


def _numbers(told: Any) -> list[float]:
    return [number for one in told for number in _numbers(one)] if isinstance(told, list) else [told]


def test_sessions_go_on_with_the_new_weights_after_their_last_values(run: Path) -> None:  # noqa: F811
    old = open_run(run)
    with serving({"run": old}, replay=3) as server, server.connect() as one, server.connect() as two:
        for socket, count in ((one, 5), (two, 2)):
            socket.recv(20)
            for n in range(1, count + 1):
                ask(socket, {"n": n, "x": value(n)})
        new = rewrite(run, 0.5)
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "reloaded"}}
        again = ask(one, {"n": 5, "x": value(5)})["y"]
        assert again == answers(old, 1, 5)[-1]  # an answer that was given stays what it was
        assert near(ask(one, {"n": 6, "x": value(6)})["y"], answers(new, 3, 6)[-1])
        assert near(ask(two, {"n": 3, "x": value(3)})["y"], answers(new, 1, 3)[-1])
        assert ask(one, {"n": 9, "x": value(9)})["error"]["n"] == 6
        _soon(lambda: not server.service.models.retired)
        assert len(server.service.sessions) == 2


def test_nothing_is_lost_while_many_push(run: Path) -> None:  # noqa: F811
    with serving({"run": open_run(run)}, replay=4) as server:
        over, wrong = threading.Event(), list[str]()
        taken = [0] * 8

        def push(number: int) -> None:
            with server.connect() as socket:
                socket.recv(20)
                while not over.is_set():
                    told = ask(socket, {"xs": [value(1)] * 3})
                    if "error" in told or told["n"] != taken[number] + 1 or len(told["ys"]) != 3:
                        wrong.append(str(told))
                        return
                    taken[number] += 3

        pushing = [threading.Thread(target=push, args=(number,)) for number in range(8)]
        for thread in pushing:
            thread.start()
        for factor in (0.5, 2.0, 0.5):
            rewrite(run, factor)
            assert server.ask("POST", "/v1/reload").json == {"models": {"run": "reloaded"}}
        _soon(lambda: not server.service.models.retired)
        over.set()
        for thread in pushing:
            thread.join(20)
        assert wrong == [] and min(taken) > 0
        assert {session.model.retired for session in server.service.sessions._live.values()} == {False}
        assert all(model.waiting == 0 for model in server.service.models)


def test_a_session_of_the_store_goes_on_after_a_restart_with_other_weights(run: Path) -> None:  # noqa: F811
    store = Kept(60)
    with serving({"run": open_run(run)}, store=store, replay=2, checkpoint_every=0.05) as server:
        id_ = _pushed(server, 4)
        _soon(lambda: server.service.sessions._live[id_].saved == 4)
    new = rewrite(run, 0.5)
    with (
        serving({"run": new}, store=store, replay=2, checkpoint_every=0.05) as server,
        server.connect(f"/v1/live?session={id_}") as socket,
    ):
        hello = json.loads(socket.recv(20))
        assert (hello["n"], hello["restored"]) == (4, True)
        assert near(ask(socket, {"n": 5, "x": value(5)})["y"], answers(new, 3, 5)[-1])
        _soon(lambda: server.service.sessions._live[id_].saved == 5)
    with serving({"run": rewrite(run, 0.5)}, store=store) as server:
        said = server.ask("POST", f"/v1/sessions/{id_}/steps", {"x": value(1)})
        assert (said.status, "no longer served" in said.json["error"]["message"]) == (404, True)


def test_without_the_option_no_value_is_kept(run: Path) -> None:  # noqa: F811
    with serving({"run": open_run(run)}) as server:
        assert server.service.sessions._live[_pushed(server, 2)].past is None


def _pushed(server: Loopback, count: int) -> str:
    id_: str = server.ask("POST", "/v1/sessions").json["session"]
    for n in range(1, count + 1):
        assert server.ask("POST", f"/v1/sessions/{id_}/steps", {"n": n, "x": value(n)}).status == 200
    return id_


def _soon(done: Any) -> None:
    end = time.monotonic() + 10
    while not done() and time.monotonic() < end:
        time.sleep(0.02)
    assert done()
