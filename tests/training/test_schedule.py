from __future__ import annotations

from typing import Any

import pytest

from unrolled.training.config import TrainingConfig
from unrolled.training.schedule import Budget


def budget(**options: Any) -> Budget:
    return Budget(TrainingConfig(**options))


@pytest.mark.parametrize(
    ("options", "at", "share", "words"),
    [
        ({"steps": 200}, (50, 9.0, 1e6), 0.25, "200 steps"),
        ({"epochs": 2.5}, (50, 1.25, 1e6), 0.5, "2.5 epochs"),
        ({"minutes": 2}, (50, 9.0, 90), 0.75, "2 minutes"),
        ({}, (50, 9.0, 60), 0.1, "until validation stops improving, for at most 10 minutes"),
    ],
)
def test_one_number_says_how_much_is_spent(
    options: dict[str, Any], at: tuple[int, float, float], share: float, words: str
) -> None:
    assert budget(**options).progress(*at) == pytest.approx(share)
    assert budget(**options).say() == words


def test_what_steers_the_schedule() -> None:
    assert [budget(**o).open_ended for o in ({}, {"steps": 1}, {"epochs": 1}, {"minutes": 1})] == [True] + [False] * 3
    assert [budget(**o).by_clock for o in ({}, {"steps": 1}, {"epochs": 1}, {"minutes": 1})] == [
        True,
        False,
        False,
        True,
    ]


def test_the_rate_warms_up_and_falls_along_a_cosine() -> None:
    one = budget(steps=1000, lr=0.1, warmup=0.1)
    rates = [one.rate(step / 1000, step, 1.0) for step in range(1000)]
    peak = rates.index(max(rates))
    assert 90 <= peak <= 101
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[0] < 0.001
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert rates[-1] == pytest.approx(0.002, rel=0.05)


def test_without_a_warm_up_the_first_rate_is_the_whole_one() -> None:
    assert budget(steps=10, lr=0.1, warmup=0.0).rate(0.0, 0, 1.0) == pytest.approx(0.1)


@pytest.mark.parametrize("spent", [1.0, 1.3])
def test_beyond_the_end_the_rate_stays_at_its_floor(spent: float) -> None:
    assert budget(minutes=1, lr=0.1).rate(spent, 10, 1.0) == pytest.approx(0.002)


def test_without_a_budget_the_rate_halves_where_validation_stalls() -> None:
    one = budget(lr=0.1)
    assert one.rate(0.5, 49, 1.0) == pytest.approx(0.05)
    assert one.rate(0.5, 500, 1.0) == pytest.approx(0.1)
    assert one.rate(0.9, 500, 0.25) == pytest.approx(0.025)
