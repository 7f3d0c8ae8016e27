from __future__ import annotations

import pytest

from unrolled.data.io import retries
from unrolled.data.io.retries import tried
from unrolled.errors import DataError


class Failing:
    """A request that fails some times before it succeeds."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors, self.calls = errors, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "content"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", found.append)
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: high)
    return found


def test_a_request_is_made_again_after_longer_and_longer_waits(waits: list[float]) -> None:
    assert (
        tried(Failing([OSError("SlowDown"), TimeoutError(), RuntimeError("of some library")]), "s3://b/k") == "content"
    )
    assert waits == [0.1, 0.2, 0.4]


def test_waits_have_a_limit_and_so_have_attempts(waits: list[float]) -> None:
    request = Failing([OSError("SlowDown")] * 100)
    with pytest.raises(DataError) as told:
        tried(request, "s3://b/k")
    assert str(told.value) == (
        "s3://b/k: cannot be read (9 attempts failed): SlowDown (credentials and the region are taken from the environment)"
    )
    assert request.calls == 9
    assert max(waits) <= 20


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("k"), "s3://b/k: there is no such file"),
        (PermissionError("403"), "s3://b/k: cannot be read: 403 (credentials"),
        (
            OSError("AWS Error ACCESS_DENIED during HeadObject operation"),
            "s3://b/k: cannot be read: AWS Error ACCESS_D",
        ),
        (DataError("it changed", file="s3://b/k"), "s3://b/k: it changed"),
    ],
)
def test_what_does_not_pass_is_not_asked_again(error: Exception, said: str, waits: list[float]) -> None:
    request = Failing([error])
    with pytest.raises(DataError) as told:
        tried(request, "s3://b/k")
    assert str(told.value).startswith(said)
    assert request.calls == 1
    assert waits == []
