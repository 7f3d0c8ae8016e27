"""The budget of a training: steps, epochs or minutes, which are read off a clock once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trainers import trainer

from unrolled.training import checkpoint
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event


@pytest.mark.parametrize(
    ("options", "steps"), [({"steps": 7}, 7), ({"steps": None, "epochs": 2.0}, 6), ({"steps": None, "epochs": 0.5}, 2)]
)
def test_the_budget_is_kept(options: dict[str, Any], steps: int, tmp_path: Path) -> None:
    assert trainer(tmp_path, **options).run().step == steps  # an epoch of ten rows has three batches


class Ticking:
    """A clock that goes on by so many seconds each time it is read, and by more when it is told."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def test_minutes_become_steps_once(tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, hooks=(seen.append,), clock=Ticking(0.01), steps=None, minutes=0.1)  # 600 readings
    progress = one.run()
    (told,) = [event for event in seen if event["kind"] == "steps"]
    assert told["per_second"] == pytest.approx(100)
    assert 20 <= told["step"] < 40
    assert progress.step == progress.total == told["total"]
    assert 560 <= progress.step <= 600
    assert progress.validations >= 20
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    assert saved.meta["total"] == progress.total


def test_validations_that_take_long_leave_most_of_the_minutes_to_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Ticking(0.01)

    def long(*given: Any) -> dict[str, float]:
        clock.now += 1
        return evaluate(*given)

    monkeypatch.setattr("unrolled.training.selection.evaluate", long)
    progress = trainer(tmp_path, clock=clock, steps=None, minutes=0.1).run()  # six seconds
    assert progress.validations == 2  # when the clock was read, and at the end
    assert 200 < progress.step < 300
    assert progress.seconds < 6


def test_slow_steps_are_not_timed_for_longer_than_a_tenth_of_the_minutes(tmp_path: Path) -> None:
    progress = trainer(tmp_path, clock=Ticking(1.0), steps=None, minutes=0.5).run()  # thirty seconds
    assert 20 <= progress.step <= 30


def test_without_a_budget_the_rate_falls_when_validation_no_longer_improves(tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, hooks=(seen.append,), clock=Ticking(0.1), steps=None, lr=1e-12, patience=3)
    progress = one.run()
    (told,) = [event for event in seen if event["kind"] == "fall"]
    assert (told["step"], told["best"], told["steps"], told["early"], told["refit"]) == (160, 40, 20, True, False)
    assert progress.step == 180
    assert [event["step"] for event in seen if event["kind"] == "valid"] == [40, 80, 120, 160, 180]
