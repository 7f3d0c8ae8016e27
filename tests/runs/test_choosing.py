"""What is chosen once the training split is encoded: how often the budget reads it, and what then takes effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from unrolled.data.examples.examples import Examples
from unrolled.runs.choosing import Pace, choose, facts_of, with_choices
from unrolled.runs.encode import training_split
from unrolled.runs.plan import RunPlan, plan_from_options

TEXTS = {"text": ["abcd" * 6] * 32}  # 28 or so remain to learn from
ROWS = {"text": [f"{n} good film" if n % 2 else f"the bad film {n}" for n in range(40)], "label": ["no", "yes"] * 20}
WAVE = {"load": [float(n % 7) for n in range(120)]}


class Clock:
    """Seconds that pass each time that it is read."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.read = seconds, 0

    def __call__(self) -> float:
        self.read += 1
        return self.read * self.seconds


def planned(data: Any, folder: Path, **options: Any) -> tuple[RunPlan, Any, Examples]:
    plan = plan_from_options(data, {"hidden": 4, "device": "cpu", **options}, None, lambda _: None)
    _, coder, train = training_split(folder, plan, lambda _: None)
    return plan, coder, train


def pace(data: Any, folder: Path, clock: Clock, **options: Any) -> tuple[Pace, int]:
    plan, coder, train = planned(data, folder, **options)
    return Pace(plan.config, coder, train, clock), len(train.steps())


def test_a_budget_of_steps_or_epochs_reads_no_clock(tmp_path: Path) -> None:
    clock = Clock(1)
    steps, rows = pace(TEXTS, tmp_path, clock, steps=70, tokens="characters")
    assert rows == 29
    assert steps.passes({"batch": 4}) == 70 / 8  # 29 rows are 8 batches of 4
    assert steps.passes({"batch": 29}) == 70
    epochs, _ = pace(TEXTS, tmp_path, clock, epochs=2.5, tokens="characters")
    assert epochs.passes({"batch": 4}) == epochs.passes({"batch": 29}) == 2.5
    assert clock.read == 0


def test_a_budget_of_minutes_is_divided_by_the_seconds_of_a_step(tmp_path: Path) -> None:
    clock = Clock(6)  # three timed steps pass between two readings: two seconds each
    found, _ = pace(TEXTS, tmp_path, clock, minutes=4, tokens="characters")
    before = torch.get_rng_state()
    assert found.passes({"batch": 4}) == pytest.approx(240 / 2 / 8)
    assert torch.equal(torch.get_rng_state(), before)
    assert clock.read == 2
    assert found.passes({"batch": 4, "lr": 0.5, "dropout": 0.4}) == pytest.approx(15)  # known, so not timed again
    assert clock.read == 2
    found.passes({"batch": 4, "hidden": 8})
    assert clock.read == 4


def test_without_a_budget_ten_minutes_are_meant(tmp_path: Path) -> None:
    found, _ = pace(TEXTS, tmp_path, Clock(6), tokens="characters")
    assert found.passes({"batch": 4}) == pytest.approx(600 / 2 / 8)


@pytest.mark.parametrize(
    ("data", "options"), [(ROWS, {"target": ["label"], "task": "classify"}), (WAVE, {"horizon": 3, "start": "ets"})]
)
def test_every_kind_of_run_can_be_timed(data: Any, options: dict[str, Any], tmp_path: Path) -> None:
    found, _ = pace(data, tmp_path, Clock(6), minutes=1, **options)
    assert 0 < found.passes({}) < 60


def test_choices_go_to_their_owners_and_idle_ones_nowhere(tmp_path: Path) -> None:
    plan, *_ = planned(ROWS, tmp_path, target=["label"], steps=1)
    config = with_choices(plan.config, {"model": "bigru", "batch": 8, "heads": 2, "crf": True}, writes=False)
    assert (config.model.name, config.training.batch, config.model.hidden) == ("bigru", 8, 4)
    assert not any("heads" in own or "crf" in own for own in (*config.model.own.values(), *config.task.own.values()))


def test_what_the_user_gave_is_no_choice(tmp_path: Path) -> None:
    plan, coder, train = planned(ROWS, tmp_path, target=["label"], steps=1, batch=3)
    config = choose(plan.config, plan.given, facts_of(train, None, None), coder, train)
    fields = [choice.field for choice in config.plan]
    assert "model" in fields and not {"hidden", "batch"} & set(fields)
    assert (config.training.batch, config.model.hidden) == (3, 4)


def test_the_season_is_the_users_or_what_repeats(tmp_path: Path) -> None:
    _, _, train = planned(WAVE, tmp_path, horizon=3, steps=1)
    assert facts_of(train, None, None).season == 7
    assert facts_of(train, None, 5).season == 5
