from __future__ import annotations

import pytest

from unrolled.errors import TrainingError, UsageError
from unrolled.training.joining import join
from unrolled.training.together import ALONE, Together


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert join() is ALONE and join().alone and join().leads
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join() is ALONE


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"WORLD_SIZE": "4"}, "RANK"),
        ({"WORLD_SIZE": "four"}, "WORLD_SIZE"),
        ({"WORLD_SIZE": "4", "RANK": "0"}, "MASTER_ADDR"),
        ({"WORLD_SIZE": "4", "RANK": "4", "MASTER_ADDR": "here"}, "RANK"),
    ],
)
def test_a_variable_that_is_missing_is_named(
    variables: dict[str, str], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=missing):
        join()


def test_only_what_was_not_sent_is_an_error_of_the_others() -> None:
    with pytest.raises(RuntimeError, match="too large"), Together(1, 2).reaching():
        raise RuntimeError("too large")
    with pytest.raises(TrainingError, match=r"rank 1 no longer reaches .* go_on"), Together(1, 2).reaching():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer")


def test_alone_nothing_is_sent() -> None:
    assert ALONE.stack(b"a") == [b"a"] and ALONE.led(lambda: b"b") == b"b" and ALONE.each(lambda: 3) == 3
    assert ALONE.leaders(0.5) == 0.5
    with pytest.raises(ValueError, match="mine"):
        ALONE.led(_fails)


def _fails() -> bytes:
    raise ValueError("mine")
