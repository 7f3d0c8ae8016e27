"""A row looked at while it is typed: what a session says, step by step; units held still; and what is refused."""

from __future__ import annotations

import base64
import gzip
import socket
import threading
import time
import urllib.request
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.errors import DataError, UsageError
from unrolled.runs.live_inspection import LiveInspection, serve
from unrolled.runs.trained import Trained

TEXT = ["the cat sat on the mat.", "the dog ate the hat."] * 12


def fitted(folder: Any, model: str) -> Trained:
    own = {"hidden": 8, "layers": 1, "steps": 3, "only": "none", "blend": "none", "tokens": "characters"}
    return ur.fit({"text": TEXT}, out=folder / "run", quiet=True, model=model, **own)


@pytest.fixture(scope="module", params=["lstm", "transformer", "deltanet"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return fitted(tmp_path_factory.mktemp("run"), request.param)


def live_on(model: Trained) -> LiveInspection:
    return LiveInspection(model, ur.inspect(model, {"text": TEXT[:1]}))


def part(told: dict[str, Any], view: str, *names: Any) -> Any:
    found = next(one["data"] for one in told["views"] if one["view"] == view)
    for name in names:
        found = found[name]
    return found


def drawn(told: dict[str, Any], view: str, *names: Any) -> Any:
    """A part of what a view draws, with its numbers as an array."""
    found = part(told, view, *names)
    if not (isinstance(found, dict) and "$" in found):
        return found
    what, numbers = told["arrays"][found["$"]], gzip.decompress(base64.b64decode(told["blob"]))
    kind = {"f4": "<f4", "i4": "<i4", "u1": "u1"}[what["type"]]
    return np.frombuffer(numbers, kind, what["length"], what["at"]).reshape(-1, what["width"])


def test_pushed_symbols_get_the_chances_of_a_session(model: Trained) -> None:
    live, session, coder = live_on(model), model.stream(), model.task.coder
    told = live.open({"text": "t"})
    session.push("t")
    text = "he cat sat on the mat. the dog ate the hat. "
    for at, symbol in enumerate(text):
        told, answer = live.push({"symbols": symbol}), session.push(symbol)
        assert (told["from"], told["steps"]) == (at + 1, at + 3)
        best = drawn(told, "next", "chances")[-1, 0]
        np.testing.assert_allclose(best, answer[f"{coder.target}_p"], rtol=1e-4, atol=1e-6)
        # The step before is told again, with what followed it and what that cost.
        assert drawn(told, "text", "tokens")[-1] == symbol
        assert drawn(told, "next", "came") == [symbol, None]
        loss = drawn(told, "loss", "loss")[:, 0]
        assert loss[0] > 0 and np.isnan(loss[1])


def test_what_is_typed_and_what_is_opened_are_the_same(model: Trained) -> None:
    typed, opened = live_on(model), live_on(model)
    told = [typed.open({"text": "the "}), *(typed.push({"symbols": one}) for one in "cat sat")]
    whole = opened.open({"text": "the cat sat"})
    for view, *names in (("next", "chances"), ("gates", "quantities", 0, "grid")):
        expected, step = numbers_of(whole, view, *names)
        pieces = [
            numbers_of(one, view, *names)[0][: -1 if nth < len(told) - 1 else None] for nth, one in enumerate(told)
        ]
        np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-5 + step)


def numbers_of(told: dict[str, Any], view: str, *names: Any) -> tuple[np.ndarray, float]:
    """The numbers of a view, and the distance of two of its levels."""
    found, what = drawn(told, view, *names), told["arrays"][part(told, view, *names)["$"]]
    if "low" not in what:
        return found, 0.0
    step = (what["high"] - what["low"]) / 254
    return found * step + what["low"], step


def test_a_unit_that_is_held_stays_and_costs(tmp_path: Any) -> None:
    model = fitted(tmp_path, "lstm")
    live = live_on(model)
    free = live.open({})
    held = live.open({"held": [{"name": "layer 1, output gate", "unit": 2, "value": 0.0}]})
    assert held["loss"] != free["loss"] and held["held"] == 1
    quantities = [one["name"] for one in drawn(held, "gates", "quantities")]
    at = quantities.index("layer 1, output gate")
    assert (drawn(held, "gates", "quantities", at, "grid")[:, 2] == 0).all()
    hidden = quantities.index("layer 1, hidden state")
    values, step = numbers_of(held, "gates", "quantities", hidden, "grid")
    np.testing.assert_allclose(values[:, 2], 0, atol=step)
    # By hand: the output gate of this unit at 0 is the same as a bias that closes it.
    cell = next(module for module in model.network.modules() if hasattr(module, "bias_ih"))
    with torch.no_grad():
        cell.bias_ih[3 * 8 + 2] = -1e4
    assert live_on(model).open({})["loss"] == pytest.approx(held["loss"], rel=1e-5)


def test_a_head_that_is_made_uniform(tmp_path: Any) -> None:
    model = fitted(tmp_path, "transformer")
    live = live_on(model)
    name = next(name for name, path in model.trace({"text": TEXT[:1]}).names.items() if path.endswith("attention"))
    free, held = live.open({}), live.open({"held": [{"name": name, "unit": 0}]})
    expected = model.trace({"text": TEXT[:1]}).without(head=(name, 0)).loss
    assert expected is not None and held["loss"] == pytest.approx(float(expected.mean()), rel=1e-6)
    assert held["loss"] != free["loss"] and held["held"] == 1
    with pytest.raises(UsageError, match="there is no unit 99"):
        live.open({"held": [{"name": name, "unit": 99}]})


def test_why_an_answer_came_out(model: Trained) -> None:
    live = live_on(model)
    row = live.why({"step": 3})["html"]
    assert "the answer at step 3" in row and "<svg" in row
    live.open({"text": "the cat"})
    assert "the answer at step 5" in live.why({"step": 5})["html"]
    with pytest.raises(UsageError):
        live.why({"step": 99})
    assert "the answer at step 7" in live.why({"step": 7})["html"]  # what follows it is not known: of what is expected


def test_what_is_refused(model: Trained) -> None:
    live = live_on(model)
    with pytest.raises(UsageError, match="open a text first"):
        live.push({"symbols": "a"})
    with pytest.raises(DataError, match="never saw 'Q'"):
        live.open({"text": "Q"})
    with pytest.raises(UsageError, match="there is no unit 99"):
        live.open({"held": [{"name": next(iter(model.trace({"text": TEXT[:1]}).names)), "unit": 99, "value": 0}]})
    live.open({"text": "the"})
    with pytest.raises(DataError, match="never saw 'Q'"):
        live.push({"symbols": "Q"})
    assert live.push({"symbols": " "})["steps"] == 5  # <begin>, the, and a blank: what was refused changed nothing


def test_a_model_of_numbers_has_no_text_to_type(tmp_path: Any) -> None:
    table = {"x": [[float(step % 5) for step in range(30)] for _ in range(6)]}
    model = ur.fit(table, model="gru", hidden=4, steps=2, only="none", out=tmp_path / "run", quiet=True)
    live = LiveInspection(model, ur.inspect(model, table))
    assert live.open({"text": "ignored"})["from"] == 0
    with pytest.raises(UsageError, match="open a text first"):
        live.push({"symbols": "1"})


def test_serving_ends_by_its_button_and_a_port_that_is_taken_is_refused(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted(tmp_path, "lstm")
    found = ur.inspect(model, {"text": TEXT[:1]})
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="choose another port"):
        serve(model, found, port=taken.getsockname()[1], browser=False)
    server = threading.Thread(target=serve, args=(model, found), kwargs={"browser": False})
    server.start()
    said = ""
    while "#" not in said:
        said += capsys.readouterr().out
        time.sleep(0.05)
    address, token = said.strip().split("#")
    request = urllib.request.Request(f"{address}quit", b"{}", {"X-Unrolled-Token": token})
    assert urllib.request.urlopen(request, timeout=10).status == 200
    server.join(20)
    assert not server.is_alive()


def test_two_windows_are_read_apart(model: Trained) -> None:
    live, other = live_on(model), live_on(model)
    live.open({"window": "one", "text": "the c"})
    live.open({"window": "two", "text": "a dog"})
    told = live.push({"window": "one", "symbols": "at"})
    other.open({"text": "the c"})
    assert told == other.push({"symbols": "at"})
    assert "the answer at step 5" in live.why({"window": "two", "step": 5})["html"]
    for number in range(8):  # the texts of so many windows are kept
        live.open({"window": str(number), "text": "a"})
    with pytest.raises(UsageError, match="open a text first"):
        live.push({"window": "one", "symbols": "a"})
