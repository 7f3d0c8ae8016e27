from __future__ import annotations

from typing import Any

import pytest

from unrolled.training.config import TrainingConfig
from unrolled.training.schedule import Budget, fall_length, planned_fall, rate


def budget(**options: Any) -> Budget:
    return Budget(TrainingConfig(**options))


@pytest.mark.parametrize(
    ("options", "steps", "seconds", "words"),
    [
        ({"steps": 200}, 200, None, "200 steps"),
        ({"epochs": 2.5}, 25, None, "2.5 epochs"),
        ({"epochs": 0.11}, 2, None, "0.11 epochs"),
        ({"minutes": 2}, None, 120, "2 minutes"),
        ({}, None, 600, "until validation stops improving, for at most 10 minutes"),
    ],
)
def test_a_budget_is_of_steps_or_of_seconds(
    options: dict[str, Any], steps: int | None, seconds: float | None, words: str
) -> None:
    one = budget(**options)
    assert (one.steps(10), one.seconds, one.say()) == (steps, seconds, words)
    assert one.open_ended == (not options)


def test_the_rate_warms_up_holds_and_falls() -> None:
    rates = [rate(0.1, step, 100, 750, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[:100] == sorted(rates[:100])
    assert set(rates[99:751]) == {0.1}
    assert rates[750:] == sorted(rates[750:], reverse=True)
    assert rates[750 + 62] == pytest.approx(0.1 * (0.02 + 0.98 * (1 - (62 / 250) ** 0.5)))  # a half after a quarter
    assert rates[750 + 62] == pytest.approx(0.05, rel=0.05)
    assert rate(0.1, 1000, 100, 750, 1000) == rate(0.1, 1300, 100, 750, 1000) == pytest.approx(0.002)


def test_without_a_warm_up_the_first_rate_is_the_whole_one() -> None:
    assert rate(0.1, 0, 0, None, 10) == 0.1


def test_before_the_fall_is_known_the_rate_is_held() -> None:
    assert rate(0.1, 10**6, 100, None, 0) == 0.1


def test_a_fall_of_no_steps_is_no_division_by_zero() -> None:
    assert rate(0.1, 5, 0, 5, 5) == 0.1


@pytest.mark.parametrize(
    ("warmup", "steps", "warm"), [(0.02, 1000, 20), (0.02, None, 100), (0.2, None, 1000), (0.0, None, 0), (0.5, 7, 4)]
)
def test_the_warm_up_is_a_share_of_the_steps_or_a_number_of_them(warmup: float, steps: int | None, warm: int) -> None:
    assert budget(warmup=warmup).warm(steps) == warm


def test_when_the_rate_falls_and_for_how_long() -> None:
    assert [planned_fall(steps) for steps in (1, 4, 12, 1000)] == [0, 3, 9, 750]
    assert [fall_length(best) for best in (-1, 0, 59, 61, 300)] == [20, 20, 20, 20, 100]
