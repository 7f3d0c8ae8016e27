"""What every test may ask for, and what a signal to the tests does."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from s3_stub import S3Stub

settings.register_profile("untimed", deadline=None)  # a busy machine fails no test
settings.load_profile("untimed")

gc.disable()  # collecting tests makes millions of objects that stay: a quarter of its time went into looking through them
os.fsync = lambda descriptor: None  # no test cuts the power, and what a killed process wrote is there without it

_LONGEST = ("test_readme.py", "test_examples.py")
_STOPS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Stub]:
    """A store at ``s3://b/``, whose copies are kept in ``tmp_path / "copies"``, and where nobody waits long."""
    from unrolled.data.io import retries

    with S3Stub() as stub:
        told = {"AWS_ENDPOINT_URL": stub.url, "AWS_ACCESS_KEY_ID": "who", "AWS_SECRET_ACCESS_KEY": "open-sesame"}
        told |= {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
        for name, value in {**told, "UNROLLED_CACHE": str(tmp_path / "copies")}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
        yield stub


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """``times(quick, full)``: how often a test repeats itself, in `make test` and in `make soak`."""
    return lambda quick, full: full if os.environ.get("UNROLLED_SOAK") == "1" else quick


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process waits at the end for one that runs them."""
    for item in items:
        asks = "times" in getattr(item, "fixturenames", ()) and "times" not in _parameters(item)
        if asks and not item.get_closest_marker("soak"):
            raise pytest.UsageError(f"{item.nodeid} asks for `times` without the mark soak: it would never run in full")
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def _parameters(item: pytest.Item) -> dict[str, object]:
    parameters: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    return parameters


def pytest_collection_finish() -> None:
    """Let the garbage collector work again, on what tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop after a test in which a signal came from outside: a trainer or a command takes it for its own."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)  # the interpreter writes the numbers of signals there, whoever handles them
    try:
        return (yield)
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        with os.fdopen(reader, "rb") as came:
            stops = [signal.Signals(number).name for number in came.read() if number in _STOPS]
        if stops and not item.get_closest_marker("signals_itself"):
            item.session.shouldstop = f"stopped by {stops[0]}"
