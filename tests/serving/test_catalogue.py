from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from serving.loopback import serving
from serving.test_sockets import ask, value

import unrolled
from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.served import Served


@pytest.fixture
def run(load: Trained, tmp_path: Path) -> Path:
    assert load.folder is not None
    return Path(shutil.copytree(load.folder, tmp_path / "run"))


def rewrite(run: Path, factor: float) -> Trained:
    """The run with other weights, as a new training would write it."""
    trained = open_run(run)
    with torch.no_grad():
        for weight in trained.network.parameters():
            weight.mul_(factor)
    trained.save(run, overwrite=True)
    return open_run(run)


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not happens() and time.monotonic() < end:
        time.sleep(0.05)
    return happens()


def test_a_new_run_is_for_new_sessions_and_old_ones_go_on(run: Path) -> None:
    old = open_run(run)
    with serving({"run": old}) as server, server.connect() as one:
        live, first = old.stream(), json.loads(one.recv(20))["session"]
        assert ask(one, {"x": value(1)})["y"] == live.push(value(1))
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "unchanged"}}
        new = rewrite(run, 0.5)
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "reloaded"}}
        assert ask(one, {"x": value(2)})["y"] == live.push(value(2))
        with server.connect() as two:
            two.recv(20)
            assert ask(two, {"x": value(1)})["y"] == new.stream().push(value(1)) != old.stream().push(value(1))
        assert server.ask("GET", "/v1/model").json["version"] == server.service.models.find(None).version
        assert len(server.service.models.retired) == 1
        server.ask("DELETE", f"/v1/sessions/{first}")
        assert within(5, lambda: not server.service.models.retired)
        assert server.ask("POST", "/v1/steps", []).status == 200


def test_a_run_that_is_written_anew_is_found(run: Path) -> None:
    with serving({"run": open_run(run)}) as server:
        before = server.ask("GET", "/v1/model").json["version"]
        rewrite(run, 0.5)
        assert within(5, lambda: server.ask("GET", "/v1/model").json["version"] != before)


def test_a_damaged_run_leaves_the_old_one_serving(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = open_run(run)
    with serving({"run": old}) as server:
        weights = (run / "model.safetensors").read_bytes()
        (run / "model.safetensors").write_bytes(weights[:-1])
        said = server.ask("POST", "/v1/reload")
        assert said.status == 409
        assert "is damaged" in said.json["error"]["message"]
        ready = server.ask("GET", "/readyz")
        assert (ready.status, ready.json["ready"]) == (200, True)
        assert "the new run of run is not served" in ready.json["reload"][0]
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        said = server.ask("POST", f"/v1/sessions/{id_}/steps", {"x": value(1)})
        assert said.json["y"] == old.stream().push(value(1))
        (run / "model.safetensors").write_bytes(weights)
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "unchanged"}}
        assert server.ask("GET", "/readyz").json == {"ready": True}
    assert "is damaged" in caplog.text


def test_sessions_of_a_transformer_that_sees_all_have_an_end(load: Trained, tmp_path: Path) -> None:
    data = {"load": [n % 5 for n in range(60)]}
    asked = {"target": "load", "horizon": 1, "hidden": 4, "steps": 1, "only": "none", "model": "transformer"}
    trained = unrolled.fit(data, **asked, out=tmp_path / "run", quiet=True)  # type: ignore[arg-type]
    assert Served("attends", trained, ServeOptions(), lambda *_: None).batcher._most_steps == 10_000
    assert Served("load", load, ServeOptions(), lambda *_: None).batcher._most_steps is None


def test_a_hundred_sessions_push_while_a_good_and_a_damaged_run_come(run: Path) -> None:
    old = open_run(run)
    with serving({"run": old}) as server, server.connect("/v1/live/many") as socket:
        ids = [server.ask("POST", "/v1/sessions").json["session"] for _ in range(100)]
        answers, over = [list[Any]() for _ in ids], threading.Event()

        def push() -> None:
            for n in itertools.count(1):
                if over.is_set():
                    return
                found = ask(socket, [[id_, n, value(n + at)] for at, id_ in enumerate(ids)])
                for told, (_, _, answer) in zip(answers, found, strict=True):
                    told.append(answer)

        pushing = threading.Thread(target=push)
        pushing.start()
        new = rewrite(run, 0.5)
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "reloaded"}}
        weights = (run / "model.safetensors").read_bytes()
        (run / "model.safetensors").write_bytes(weights[:-1])
        assert server.ask("POST", "/v1/reload").status == 409
        later = server.ask("POST", "/v1/sessions").json["session"]
        said = server.ask("POST", f"/v1/sessions/{later}/steps", {"x": value(1)}).json
        reached = len(answers[0])
        assert within(5, lambda: len(answers[0]) > reached + 1)
        over.set()
        pushing.join(20)
        assert said["y"] == new.stream().push(value(1))
        for at in range(0, 100, 9):  # old sessions: not a bit has changed, and no step is missing
            live = old.stream()
            assert answers[at] == [live.push(value(n + at)) for n in range(1, len(answers[at]) + 1)]
