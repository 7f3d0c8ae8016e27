from __future__ import annotations

import json
from typing import Any

import pytest
from serving.loopback import Loopback
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from unrolled.runs.trained import Trained


def value(step: int, of: int = 0) -> dict[str, float]:
    return {"load": 10 + (7 * of + step) % 11 / 10, "temp": 5 - (of + step) % 5}


def ask(socket: ClientConnection, message: Any) -> Any:
    socket.send(message if isinstance(message, str) else json.dumps(message))
    return json.loads(socket.recv(20))


def test_a_session_answers_what_a_stream_answers(server: Loopback, load: Trained) -> None:
    live = load.stream()
    with server.connect() as socket:
        hello = json.loads(socket.recv(20))
        assert (hello["n"], hello["last"], hello["model"], hello["restored"]) == (0, None, "load", False)
        for n in range(1, 6):
            assert ask(socket, {"n": n, "x": value(n)}) == {"n": n, "y": live.push(value(n))}
        several = [value(n) for n in range(6, 9)]
        assert ask(socket, {"n": 6, "xs": several}) == {"n": 6, "ys": [live.push(one) for one in several]}
        assert ask(socket, {"x": value(9)}) == {"n": 9, "y": live.push(value(9))}


def test_a_step_is_answered_again_and_not_taken_again(server: Loopback, load: Trained) -> None:
    live = load.stream()
    with server.connect() as socket:
        json.loads(socket.recv(20))
        first = ask(socket, {"n": 1, "x": value(1)})
        assert ask(socket, {"n": 1, "x": value(1)}) == first == {"n": 1, "y": live.push(value(1))}
        several = {"n": 2, "xs": [value(2), value(3)]}
        again = ask(socket, several)
        assert ask(socket, several) == again
        live.push(value(2))
        live.push(value(3))
        overlapping = ask(socket, {"n": 3, "xs": [value(3), value(4)]})
        assert overlapping == {"n": 3, "ys": [again["ys"][1], live.push(value(4))]}


def test_a_gap_is_refused(server: Loopback) -> None:
    with server.connect() as socket:
        socket.recv(20)
        ask(socket, {"n": 1, "xs": [value(1), value(2)]})
        for n, about in ((4, "the next step is 3, not 4"), (9, "the next step is 3, not 9")):
            error = ask(socket, {"n": n, "x": value(n)})["error"]
            assert (error["type"], error["message"], error["n"]) == ("Conflict", about, 2)
        ask(socket, {"n": 3, "x": value(3)})
        assert "no longer remembered" in ask(socket, {"n": 1, "x": value(1)})["error"]["message"]


def test_a_bad_value_harms_only_itself(server: Loopback, load: Trained) -> None:
    live = load.stream()
    with server.connect() as socket:
        socket.recv(20)
        ask(socket, {"n": 1, "x": value(1)})
        live.push(value(1))
        error = ask(socket, {"n": 2, "x": {"load": "much", "temp": 1}})["error"]
        assert (error["type"], error["column"], error["exit_code"]) == ("DataError", "load", 3)
        partly = ask(socket, {"n": 2, "xs": [value(2), {"load": 1}, value(3)]})
        assert partly["ys"] == [live.push(value(2))]
        assert "temp" in partly["error"]["message"]
        assert ask(socket, {"n": 3, "x": value(3)}) == {"n": 3, "y": live.push(value(3))}


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", '{"n":0,"x":1}', '{"n":1}', '{"x":1,"xs":[1]}', '{"xs":[]}', '{"x":1,"y":2}', '{"x":NaN}', '{"x":"\\ud800"}',
     '{"x":' + "[" * 40 + "]" * 40 + "}", '{"x":' + "9" * 5_000 + "}", '{"x":1e999}', "[" * 9_000],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_in_place(server: Loopback, load: Trained, message: str) -> None:
    with server.connect() as socket:
        socket.recv(20)
        assert ask(socket, message)["error"]["type"] == "BadRequest"
        assert ask(socket, {"n": 1, "x": value(1)}) == {"n": 1, "y": load.stream().push(value(1))}


def test_a_closed_connection_leaves_its_session(server: Loopback, load: Trained) -> None:
    live = load.stream()
    with server.connect() as socket:
        id_ = json.loads(socket.recv(20))["session"]
        last = ask(socket, {"n": 1, "x": value(1)})["y"]
    with server.connect(f"/v1/live?session={id_}") as socket:
        hello = json.loads(socket.recv(20))
        assert (hello["session"], hello["n"], hello["last"]) == (id_, 1, last)
        live.push(value(1))
        assert ask(socket, {"n": 2, "x": value(2)})["y"] == live.push(value(2))


def test_a_new_connection_takes_the_session_over(server: Loopback) -> None:
    with server.connect() as old:
        id_ = json.loads(old.recv(20))["session"]
        with server.connect(f"/v1/live?session={id_}") as new:
            new.recv(20)
            with pytest.raises(ConnectionClosed) as closed:
                old.recv(20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4409
            assert ask(new, {"n": 1, "x": value(1)})["n"] == 1


def test_no_such_session_or_model(server: Loopback) -> None:
    for asked, kind in (("session=never", "NotFound"), ("model=laod", "NotFound")):
        with server.connect(f"/v1/live?{asked}") as socket:
            assert json.loads(socket.recv(20))["error"]["type"] == kind
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404


def test_many_sessions_in_a_message(server: Loopback, load: Trained) -> None:
    ids = [server.ask("POST", "/v1/sessions").json["session"] for _ in range(3)]
    streams = [load.stream() for _ in ids]
    with server.connect("/v1/live/many") as socket:
        for n in range(1, 4):
            asked = [[id_, n, value(n, of)] for of, id_ in enumerate(ids)]
            expected = [
                [id_, n, stream.push(value(n, of))] for of, (id_, stream) in enumerate(zip(ids, streams, strict=True))
            ]
            assert ask(socket, asked) == expected
        told = ask(socket, [[ids[0], 9, value(1)], ["never", None, value(1)], [ids[1], None, value(4, 1)]])
        assert [one[2].get("error", {}).get("type") for one in told] == ["Conflict", "NotFound", None]
        assert told[2] == [ids[1], 4, streams[1].push(value(4, 1))]
        assert ask(socket, []) == []


def test_a_frame_that_is_too_large_ends_its_connection(server: Loopback) -> None:
    with server.connect() as socket:
        socket.recv(20)
        socket.send("x" * (server.service.options.frame + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
    assert server.ask("GET", "/healthz").status == 200
