from __future__ import annotations

import math

import pytest

from unrolled.training.clock import Allowance, Stopwatch, doubling
from unrolled.training.config import TrainingConfig
from unrolled.training.schedule import Budget

MINUTE, OPEN = Budget(TrainingConfig(minutes=1)), Budget(TrainingConfig())


def first(budget: float, a_step: float, validations: dict[int, float] | None = None) -> tuple[int, float]:
    """After which step the stopwatch tells the seconds of a step, and which."""
    stopwatch, seconds = Stopwatch(budget, 0, 0.0), 0.0
    for step in range(1, 10_000):
        seconds += 5 * a_step if step <= 3 else a_step  # the first ones are slow
        if (told := stopwatch.tick(step, seconds)) is not None:
            return step, told
        seconds += (took := (validations or {}).get(step, 0.0))
        stopwatch.leave_out(took)
    raise AssertionError


@pytest.mark.parametrize(
    ("budget", "a_step", "step"),
    [
        (60, 0.01, 108),  # 2 % of a minute, of which the slow ones took 0.15
        (600, 0.1, 103),  # a hundred steps in two seconds or more
        (600, 0.001, 2003),  # two seconds are enough
        (60, 0.001, 1188),
        (60, 0.08, 23),  # 20 steps
        (60, 0.2, 18),  # a tenth of the minute
    ],
)
def test_enough_steps_are_timed_and_not_too_many(budget: float, a_step: float, step: int) -> None:
    found, told = first(budget, a_step)
    assert found == pytest.approx(step, abs=1)
    assert told == pytest.approx(a_step)


def test_of_very_slow_steps_one_is_timed() -> None:
    stopwatch = Stopwatch(60, 0, 0.0)
    assert [stopwatch.tick(step, 9.0 * step) for step in (1, 2)] == [None, 9.0]


def test_a_validation_is_no_step() -> None:
    assert first(60, 0.01, {40: 0.5})[1] == pytest.approx(0.01)


def test_the_steps_fill_the_time_that_is_left() -> None:
    found = Allowance.measured(MINUTE, done=100, left=59, step=0.01, validation=0.5, epoch=8)
    assert found.every == 295  # the twentieth of 5 900 steps; 4 · 0.5 s are 200
    took = (found.steps - 100) * 0.01 + 0.5 * ((found.steps - 100) / found.every + 2)
    assert took == pytest.approx(59, rel=0.01)


def test_validations_take_at_most_a_fifth() -> None:
    found = Allowance.measured(MINUTE, done=100, left=59, step=0.01, validation=5, epoch=8)
    assert found.every == 2000
    assert (found.steps - 100) / found.every * 5 <= 0.2 * 49 + 1e-9


def test_nothing_is_left_when_one_step_took_all() -> None:
    assert Allowance.measured(MINUTE, done=4, left=-10, step=20, validation=1, epoch=8).steps == 4


@pytest.mark.parametrize(("epoch", "every"), [(8, 40), (100, 100), (10**6, 2950)])
def test_without_a_budget_it_validates_each_epoch_but_not_too_often(epoch: int, every: int) -> None:
    assert Allowance.measured(OPEN, done=0, left=590, step=0.01, validation=0.0, epoch=epoch).every == every


def test_validations_are_at_equal_distances_and_before_them_at_doubled_ones() -> None:
    one = Allowance(1000, 300, 70)
    assert [step for step in range(1, 1001) if one.validates(step)] == [80, 160, 300, 600, 900]
    assert [step for step in range(1, 1001) if Allowance(1000, 300).validates(step)] == [300, 600, 900]
    assert [step for step in range(1000) if doubling(step)] == [40, 80, 160, 320, 640]


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (12, 1), (40, 4), (1000, 100)])
def test_given_steps_have_ten_validations(steps: int, every: int) -> None:
    assert Allowance.counted(steps) == Allowance(steps, every, math.inf)
