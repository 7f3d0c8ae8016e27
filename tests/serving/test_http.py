from __future__ import annotations

import pytest
from serving.loopback import Loopback
from serving.test_sockets import value

from unrolled.runs.trained import Trained


def opened(server: Loopback) -> str:
    said = server.ask("POST", "/v1/sessions")
    assert (said.status, said.json["n"], said.json["model"]) == (201, 0, "load")
    return said.json["session"]


def test_steps_of_a_session(server: Loopback, load: Trained) -> None:
    path, live = f"/v1/sessions/{opened(server)}/steps", load.stream()
    said = server.ask("POST", path, {"n": 1, "x": value(1)})
    assert (said.status, said.json) == (200, {"n": 1, "y": live.push(value(1))})
    said = server.ask("POST", path, {"xs": [value(2), value(3)]})
    assert said.json == {"n": 2, "ys": [live.push(value(2)), live.push(value(3))]}
    for message, status in (
        ({"n": 9, "x": value(9)}, 409),
        ({"n": 4, "x": {"load": "much", "temp": 1}}, 422),
        ({"n": 4}, 400),
        ({"xs": [1] * 257}, 413),
        (b" " * 1_048_577, 413),
    ):
        assert server.ask("POST", path, message).status == status
    assert server.ask("POST", path, {"n": 4, "x": value(4)}).json["y"] == live.push(value(4))


def test_a_step_of_many_sessions(server: Loopback, load: Trained) -> None:
    one, two = opened(server), opened(server)
    said = server.ask("POST", "/v1/steps", [[one, 1, value(1)], [two, None, value(2)], ["never", 1, value(1)]])
    assert said.json[:2] == [[one, 1, load.stream().push(value(1))], [two, 1, load.stream().push(value(2))]]
    assert said.json[2][2]["error"]["type"] == "NotFound"


def test_a_session_goes_on_from_the_snapshot_of_another(server: Loopback, load: Trained) -> None:
    one, two, live = opened(server), opened(server), load.stream()
    for n in (1, 2):
        server.ask("POST", f"/v1/sessions/{one}/steps", {"n": n, "x": value(n)})
        live.push(value(n))
    kept = server.ask("GET", f"/v1/sessions/{one}/snapshot")
    assert (kept.status, kept.headers["x-unrolled-n"]) == (200, "2")
    elsewhere = load.stream(kept.body)  # as `unrolled stream --restore` reads it
    assert server.ask("PUT", f"/v1/sessions/{two}/snapshot", kept.body).json["n"] == 2
    said = server.ask("POST", f"/v1/sessions/{two}/steps", {"n": 3, "x": value(3)})
    assert said.json["y"] == live.push(value(3)) == elsewhere.push(value(3))
    assert server.ask("PUT", f"/v1/sessions/{two}/snapshot", b"nothing").status == 400
    assert server.ask("POST", f"/v1/sessions/{two}/steps", {"n": 4, "x": value(4)}).status == 200


def test_a_session_that_was_ended_is_gone(server: Loopback) -> None:
    id_ = opened(server)
    before = len(server.service.sessions)
    assert server.ask("DELETE", f"/v1/sessions/{id_}").status == 204
    assert len(server.service.sessions) == before - 1
    for method, path in (("DELETE", ""), ("GET", "/snapshot"), ("POST", "/steps")):
        said = server.ask(method, f"/v1/sessions/{id_}{path}", {"x": 1})
        assert (said.status, said.json["error"]["type"]) == (404, "NotFound")


def test_what_the_server_says_of_itself(server: Loopback, load: Trained) -> None:
    told = server.ask("GET", "/v1/model").json
    assert (told["model"], told["task"], told["reads"], told["streams"]) == ("load", "forecast", ["load", "temp"], True)
    assert server.ask("GET", "/v1/model?model=load").json == told
    assert "Did you mean 'load'" in server.ask("GET", "/v1/model?model=laod").json["error"]["message"]
    assert server.ask("GET", "/healthz").json == {"alive": True}
    assert server.ask("GET", "/readyz").json == {"ready": True}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/never", 404), ("GET", "/v1/steps", 405)])
def test_there_is_nothing_there(server: Loopback, method: str, path: str, status: int) -> None:
    assert server.ask(method, path).status == status
