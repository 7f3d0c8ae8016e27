"""Every message of a WebSocket is answered in place, whatever stands in it, and what was taken is what was answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from serving.loopback import Loopback
from websockets.sync.client import ClientConnection

from unrolled.runs.trained import Trained

KINDS = {"BadRequest", "Conflict", "DataError", "NotFound", "TooLarge"}

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
_good = st.fixed_dictionaries({"load": st.floats(-50, 50), "temp": st.none() | st.integers(-9, 9)})
_values = _good | _good | _json
_numbers = st.integers(-2, 12) | _scalars
_steps = (
    st.fixed_dictionaries({"x": _values}, optional={"n": _numbers})
    | st.fixed_dictionaries({"xs": st.lists(_values, max_size=4)}, optional={"n": _numbers})
    | st.fixed_dictionaries({"x": _values, "xs": _json})
    | _json
)
_texts = (
    _steps.map(json.dumps)
    | _steps.map(json.dumps)
    | st.text(max_size=30)
    | _steps.map(lambda one: json.dumps(one)[:-1])
)


def fuzzed(cases: int, strategy: st.SearchStrategy[Any]) -> Callable[[Callable[[Any], None]], None]:
    """Run a function over so many examples of a strategy, the same ones each time."""

    def run(check: Callable[[Any], None]) -> None:
        whole = settings(
            max_examples=cases,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        whole(given(strategy)(check))()

    return run


def answer(socket: ClientConnection, message: str | bytes) -> Any:
    socket.send(message)
    return json.loads(socket.recv(20))


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing is logged as an error."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.soak
def test_any_message_of_a_session(server: Loopback, load: Trained, times: Callable[[int, int], int]) -> None:
    live, taken, told = load.stream(), [0], [0]
    with server.connect() as socket:
        socket.recv(20)

        @fuzzed(times(150, 5000), _texts | _texts.map(str.encode))
        def check(message: str | bytes) -> None:
            try:
                found = answer(socket, message)
            except UnicodeEncodeError:
                return  # a lone surrogate, which no text of a WebSocket may hold
            error, answers = found.get("error"), found.get("ys", [found["y"]] if "y" in found else [])
            assert error is None or error["type"] in KINDS, error
            assert error is not None or answers, message
            told[0] += error is not None
            if not answers:
                return
            asked = json.loads(message)
            values = asked["xs"] if "xs" in asked else [asked["x"]]
            again = taken[0] - (found["n"] - 1)  # steps that were answered before
            for one, value in zip(answers[again:], values[again:], strict=False):
                assert one == live.push(value)
                taken[0] += 1

        assert answer(socket, '{"x": {"load": 1, "temp": 1}}') == {
            "n": taken[0] + 1,
            "y": live.push({"load": 1, "temp": 1}),
        }
    assert taken[0] > 4  # which messages come depends on the constants in the source too
    assert told[0] > 10


@pytest.mark.soak
def test_any_message_of_many_sessions(server: Loopback, times: Callable[[int, int], int]) -> None:
    ids = [server.ask("POST", "/v1/sessions").json["session"] for _ in range(3)]
    triples = st.tuples(st.sampled_from([*ids, "nobody", ""]), st.none() | st.integers(-1, 4), _values).map(list)
    counts = {"answered": 0, "refused": 0}
    with server.connect("/v1/live/many") as socket:

        @fuzzed(times(100, 5000), st.lists(triples, max_size=5) | st.lists(_json, max_size=3) | _json)
        def check(message: Any) -> None:
            try:
                found = answer(socket, json.dumps(message))
            except UnicodeEncodeError:
                return
            if isinstance(found, dict):
                assert found["error"]["type"] in KINDS
                return
            assert [one[0] for one in found] == [one[0] for one in message]
            for _, number, told, *_ in found:
                error = told.get("error")
                counts["answered" if error is None else "refused"] += 1
                assert error is None or error["type"] in KINDS
                assert error is not None or number >= 1

    assert min(counts.values()) > 10, counts
