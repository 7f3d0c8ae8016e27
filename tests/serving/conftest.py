"""Tiny trained models, made once for all tests of the server."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator

import pytest
from serving.loopback import Loopback, serving

import unrolled
from unrolled.runs.trained import Trained
from unrolled.serving import predictor
from unrolled.serving.predict_process import predict_for


class Beside(threading.Thread):
    """What the process that predicts does, in a thread: starting a process takes three seconds."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(target=predict_for, args=(end.dup(),), daemon=True)
        self.start()

    def kill(self) -> None:
        """It ends when the other end is closed."""

    def wait(self) -> int:
        self.join(20)
        return 0


@pytest.fixture(scope="session", autouse=True)
def beside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "launch", Beside)
        yield


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A forecast of two columns."""
    data = {
        "load": [10 + 3 * math.sin(t / 4) for t in range(60)],
        "temp": [5 + math.cos(t / 4) for t in range(60)],
    }
    out = tmp_path_factory.mktemp("serving") / "load"
    options = {"target": "load", "horizon": 2, "model": "lstm", "hidden": 4, "steps": 2, "only": "none"}
    options |= {"plan": "fixed", "start": "none"}  # a plain LSTM: its steps are quick
    return unrolled.fit(data, **options, out=out, quiet=True)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def server(load: Trained) -> Iterator[Loopback]:
    with serving({"load": load}) as running:
        yield running


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of texts, by characters."""
    texts = [f"the dog ran to a log {k % 7}." for k in range(40)]
    options = {"model": "gru", "hidden": 12, "steps": 30, "only": "none", "plan": "fixed", "start": "none"}
    return unrolled.fit({"x": texts}, **options, out=tmp_path_factory.mktemp("serving") / "texts", quiet=True)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def writing(load: Trained, writer: Trained) -> Iterator[Loopback]:
    with serving({"texts": writer, "load": load}) as running:
        yield running


@pytest.fixture(scope="session")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A classifier of texts that reads them in both directions, so that it cannot stream."""
    data = {"text": ["good food", "bad food", "good wine", "bad wine"] * 8, "mood": ["happy", "sad"] * 16}
    out = tmp_path_factory.mktemp("serving") / "moods"
    return unrolled.fit(data, target="mood", model="bigru", hidden=4, steps=2, only="none", out=out, quiet=True)


@pytest.fixture(scope="module")
def both(load: Trained, moods: Trained) -> Iterator[Loopback]:
    with serving({"moods": moods, "load": load}) as running:
        yield running
