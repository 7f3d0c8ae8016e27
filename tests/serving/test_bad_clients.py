"""S9: whatever bad clients do, the good ones get their answers."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from serving.loopback import Loopback, serving

from unrolled.client import Client
from unrolled.runs.trained import Trained

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def bad() -> ModuleType:
    """``bench/bad_clients.py``, which the figures are measured with too."""
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location("bad_clients", BENCH / "bad_clients.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCH))


def value(step: int, of: int) -> dict[str, float]:
    return {"load": 10 + (7 * of + step) % 11 / 10, "temp": 5 - (of + step) % 5}


@pytest.mark.soak
def test_eight_bad_clients_harm_no_good_one(
    bad: ModuleType, load: Trained, times: Callable[[int, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def push(server: Loopback, of: int) -> list[Any]:
        answers = []
        with Client(f"http://127.0.0.1:{server.port}", timeout=20).session() as live:
            while not done.is_set() or len(answers) < 20:
                answers.append(live.push(value(len(answers), of)))
        return answers

    with serving({"load": load}, handshake=0.3, deadline=5.0) as server, ThreadPoolExecutor(8) as pool:
        caplog.set_level(logging.ERROR)
        good = [pool.submit(push, server, of) for of in range(6)]
        did = bad.run(server.port, times(1, 20))
        done.set()
        found = [one.result(60) for one in good]
        assert server.ask("GET", "/healthz").status == 200
    for of, answers in enumerate(found):
        live = load.stream()
        assert answers == [live.push(value(step, of)) for step in range(len(answers))]
    assert min(did.values()) > 0, did
    assert [record.getMessage() for record in caplog.records] == []
