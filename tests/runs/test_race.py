"""The race: which alternatives run, who wins, and that a run goes on from where it was stopped."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import unrolled as ur
from unrolled.errors import Interrupted
from unrolled.runs import race
from unrolled.runs.choosing import Pace
from unrolled.runs.training_log import read_log
from unrolled.training.trainer import Trainer

MINUTES = 0.02  # of which a tenth, 0.12 s, is divided among four: 120 steps each at 0.00025 s


def walks(rows: int = 2_400) -> dict[str, Any]:
    """Rows of numbers, and whether the last is above the first: a network tells after some steps."""
    dice = random.Random(0)
    series = [[dice.random() for _ in range(4)] for _ in range(rows)]
    return {"walk": series, "rises": [row[-1] > row[0] for row in series]}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that seem quick enough for a race in a test."""
    monkeypatch.setattr(Pace, "seconds", lambda self, config: 0.00025)


def fit(folder: Path, lines: list[str], **options: Any) -> ur.api.Trained:  # type: ignore[name-defined]
    asked = {
        "target": "rises",
        "minutes": MINUTES,
        "hidden": 4,
        "batch": 256,
        "blend": "none",
        "out": folder,
        **options,
    }
    return ur.fit(walks(), say=lines.append, **asked)


@pytest.mark.usefixtures("quick")
def test_alternatives_race_and_the_winner_goes_on(tmp_path: Path) -> None:
    lines: list[str] = []
    trained = fit(tmp_path / "run", lines)
    told = [line for line in lines if line.startswith("race: ")]
    assert [line.partition(":")[2].partition(":")[0] for line in told] == [
        " as planned",
        " model bilstm",
        " lr 0.004",
        " lr 0.001",
    ]
    steps = [int(found) for line in told for found in re.findall(r"after (\d+) steps", line)]
    assert len(steps) == 4 and max(steps) <= 120  # a busy machine takes fewer
    (*_, last) = trained.config.plan
    assert last.source == "race" and last.reason == "; ".join(line.removeprefix("race: ") for line in told)
    assert not (tmp_path / "run" / "race").exists()
    assert any(f"resuming from step {step}" in lines for step in steps)  # the race was the beginning of training
    logged = read_log(tmp_path / "run").steps.tolist()
    assert logged == list(range(20, 20 * len(logged) + 1, 20))  # and of the log


@pytest.mark.usefixtures("quick")
def test_what_the_user_chose_does_not_race(tmp_path: Path) -> None:
    lines: list[str] = []
    fit(tmp_path / "run", lines, model="gru", lr=0.01)
    told = [line for line in lines if line.startswith("race: ")]
    assert not any("lr" in line for line in told)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "options", [{"minutes": None, "steps": 5}, {"plan": "rules"}, {"plan": "fixed"}, {"valid": 0.01}, {"batch": 32}]
)  # the last would have read the data less than twice
def test_no_race(tmp_path: Path, options: dict[str, Any]) -> None:
    lines: list[str] = []
    fit(tmp_path / "run", lines, **options)
    assert not [line for line in lines if line.startswith("race: ")]


@pytest.mark.usefixtures("quick")
def test_a_run_that_is_stopped_in_its_race_goes_on_with_the_same_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = Trainer.run, []

    def stopped(self: Trainer, until: int | None = None) -> Any:
        calls.append(until)
        if len(calls) == 4:  # before the last contestant
            raise Interrupted("SIGTERM", 15)
        return run(self, until)

    monkeypatch.setattr(Trainer, "run", stopped)
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=f"resume with: unrolled fit --resume {folder}") as caught:
        fit(folder, [])
    assert caught.value.exit_code == 143
    assert json.loads((folder / "race" / "steps.json").read_text()) == [120] * 4
    monkeypatch.setattr(Trainer, "run", run)
    monkeypatch.setattr(Pace, "seconds", lambda self, config: 1e-5)  # another clock changes nothing
    lines: list[str] = []
    trained = ur.fit(walks(), out=folder, resume=True, say=lines.append)
    assert all(re.search(r"after \d+ steps$", line) for line in lines if line.startswith("race: "))
    assert any(choice.source == "race" for choice in trained.config.plan)


@pytest.mark.parametrize(("early", "winner"), [(0.8, 1), (0.95, 0), (1.2, 0)])
def test_the_winner_is_better_after_the_same_time_and_after_the_same_steps(
    monkeypatch: pytest.MonkeyPatch, early: float, winner: int
) -> None:
    """The quick one is far better in the end: what counts is whether it surely was after as many steps."""
    for name, stand_in in (
        ("programs", lambda own: {}),  # the sums stand for their metric
        ("summed", lambda groups: groups[0]),
        ("values", lambda value, _: {"loss_nats_per_label": value}),
        ("redrawn", lambda groups, _: groups),
        ("standard_error", lambda *_: 0.1),
    ):
        monkeypatch.setattr(race, name, stand_in)
    config: Any = SimpleNamespace(training=SimpleNamespace(own={}))
    two = [race._Contestant({}, config, 120), race._Contestant({"model": "gru"}, config, 900)]
    sums: list[Any] = [[[1.0], [early]], [[1.0], [0.5]]]
    found, told = race._winner("loss_nats_per_label", *sums, two)
    assert found == winner
    assert told[1] == "model gru: loss_nats_per_label 0.5 ± 0.1 after 900 steps"


def test_there_is_none_for_a_model_that_is_too_large_for_one_rank(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(training=SimpleNamespace(plan="race", shard_weights=True))
    encoded: Any = SimpleNamespace(judged={"valid": object()})
    make: Any = None
    assert race.raced(tmp_path, config, encoded, make, "cpu", print) is config
    assert not [*tmp_path.iterdir()]
