"""The queue before the process that predicts, and what happens when that is late, or ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from serving.loopback import Loopback, Said, serving
from serving.test_sockets import value

from unrolled.runs.opening import open_run
from unrolled.runs.trained import Trained
from unrolled.serving import predict_process, predict_tables, predictor
from unrolled.serving.predictor import launch

ROWS = {"rows": [value(n) for n in range(30)]}


class Held:
    """Predictions that wait until they may go on."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Event()

    def __call__(self, trained: Trained, body: pa.Buffer, asked: Mapping[str, str]) -> bytes:
        self.begun.release()
        assert self.free.wait(20)
        return predict_tables.answered(trained, body, asked)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found = Held()
    monkeypatch.setitem(predict_process._WORKS, "tables", found)
    yield found
    found.free.set()


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as found:
        yield found


def ask(server: Loopback) -> Said:
    return server.ask("POST", "/v1/predict", ROWS)


def until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_queue_is_short_and_sessions_do_not_wait_for_it(
    load: Trained, held: Held, clients: ThreadPoolExecutor
) -> None:
    with serving({"load": load}, predict_waiting=2) as server:
        asked = [clients.submit(ask, server) for _ in range(2)]
        until(lambda: server.service.predictor.waiting == 2)
        said = ask(server)
        assert (said.status, said.headers["retry-after"]) == (503, "1")
        id_ = server.ask("POST", "/v1/sessions").json["session"]
        assert server.ask("POST", f"/v1/sessions/{id_}/steps", {"x": value(1)}).status == 200
        held.free.set()
        assert [one.result(20).status for one in asked] == [200, 200]


def test_what_takes_too_long_is_given_up(load: Trained, held: Held, clients: ThreadPoolExecutor) -> None:
    with serving({"load": load}, predict_deadline=0.3) as server:
        asked = [clients.submit(ask, server) for _ in range(2)]
        for one in asked:  # one while it runs, one that waits or has just begun
            said = one.result(20)
            assert (said.status, said.json["error"]["type"]) == (504, "Expired")
        held.free.set()
        until(lambda: ask(server).status == 200)  # by a new process


def test_tables_that_wait_take_only_so_much_memory(load: Trained, held: Held, clients: ThreadPoolExecutor) -> None:
    with serving({"load": load}, predict_waiting=2, predict_body=1500) as server:
        asked = clients.submit(ask, server)
        assert held.begun.acquire(timeout=20)
        server.service.predictor._held += 1500
        said = ask(server)
        assert (said.status, "bytes already" in said.json["error"]["message"]) == (503, True)
        held.free.set()
        assert asked.result(20).status == 200
        assert server.service.predictor._held == 1500


def test_a_process_that_ended_is_replaced(
    load: Trained, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dies(*_: Any) -> bytes:
        raise EOFError  # which ends the thread in its place

    def fails(*_: Any) -> bytes:
        raise ZeroDivisionError

    with serving({"load": load}) as server:
        monkeypatch.setattr(predict_process, "_answer", dies)
        said = ask(server)
        assert (said.status, said.headers["retry-after"]) == (503, "1")
        monkeypatch.undo()
        monkeypatch.setitem(predict_process._WORKS, "tables", fails)
        said = ask(server)
        assert (said.status, said.json["error"]["message"]) == (500, "internal error (ZeroDivisionError)")
        monkeypatch.undo()
        before = server.service.predictor._process
        assert ask(server).status == 200
        assert server.service.predictor._process is before  # an error does not end it


def test_it_predicts_with_the_weights_that_are_served(load: Trained, tmp_path: Path) -> None:
    assert load.folder is not None
    run = Path(shutil.copytree(load.folder, tmp_path / "run"))
    old = open_run(run)
    with serving({"run": old}) as server:
        (run / "model.safetensors").write_bytes(b"damaged")
        assert ask(server).json["rows"] == old.predict(ROWS["rows"]).to_pylist()
        new = open_run(load.folder)
        with torch.no_grad():
            for weight in new.network.parameters():
                weight.mul_(0.5)
        new.save(run, overwrite=True)
        assert server.ask("POST", "/v1/reload").json == {"models": {"run": "reloaded"}}
        assert ask(server).json["rows"] == new.predict(ROWS["rows"]).to_pylist()
        process = server.service.predictor._process
        assert process is not None
        assert process._opened == {server.service.models.now["run"].identity}  # the old one was given up


def test_the_end_waits_for_what_runs(load: Trained, held: Held, clients: ThreadPoolExecutor) -> None:
    with serving({"load": load}) as server:
        asked = [clients.submit(ask, server)]
        assert held.begun.acquire(timeout=20)
        asked.append(clients.submit(ask, server))
        until(lambda: server.service.predictor.waiting == 2)
        loop = server.service._tasks[0].get_loop()
        server.service.predictor.close()
        end = asyncio.run_coroutine_threadsafe(server.service.predictor.stop(20), loop)
        held.free.set()
        assert [one.result(20).status for one in asked] == [200, 503]
        end.result(20)
        assert ask(server).json["error"]["type"] == "Draining"


@pytest.mark.soak
def test_a_real_process(
    load: Trained, monkeypatch: pytest.MonkeyPatch, clients: ThreadPoolExecutor, times: Callable[[int, int], int]
) -> None:
    started: list[Any] = []

    def launched(end: Any) -> Any:
        started.append(launch(end))
        return started[-1]

    monkeypatch.setattr(predictor, "launch", launched)
    with serving({"load": load}) as server:
        wanted = load.predict(ROWS["rows"]).to_pylist()
        assert ask(server).json["rows"] == wanted
        os.kill(started[0].pid, signal.SIGTERM)  # as Ctrl-C and service managers do
        assert ask(server).json["rows"] == wanted
        os.kill(started[0].pid, signal.SIGSTOP)
        asked = clients.submit(ask, server)
        until(lambda: server.service.predictor.waiting == 1)
        started[0].kill()
        assert asked.result(20).status == 503
        if times(0, 1):
            assert ask(server).json["rows"] == wanted
    assert [one.returncode for one in started] == [-signal.SIGKILL] * len(started)
