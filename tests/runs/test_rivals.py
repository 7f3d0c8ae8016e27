"""What is solved beside a network takes a tenth of a budget in time, and is the same when the run is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
from forecasting import ask

import unrolled as ur
from unrolled.runs.config import RunConfig
from unrolled.runs.rivals import SOLVED_IN_TIME, rivals_in_time
from unrolled.runs.trained import Trained

LOAD = {"load": [[float(n * n % 17) for n in range(60)]]}
AT_ONCE = {"last value", "mean", "seasonal naive"}


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, list[str]]:
    """A run whose budget is over before anything is searched for, and what it said."""
    said: list[str] = []
    folder = tmp_path_factory.mktemp("hurried") / "run"
    model = ur.fit(LOAD, out=folder, horizon=3, hidden=4, minutes=1e-6, device="cpu", say=said.append)
    return model, said


def within(config: RunConfig, minutes: float | None, **values: object) -> RunConfig:
    training = config.training.model_copy(update={"minutes": minutes, **values})
    return config.model_copy(update={"training": training})


def test_no_search_begins_when_the_time_is_over(hurried: tuple[Trained, list[str]]) -> None:
    model, said = hurried
    names = {*model.baselines["valid"]}
    assert names >= AT_ONCE and not names & {"arima", "exponential smoothing", "linear window"}
    assert any(line.startswith("left out, because a tenth of the budget") and "arima" in line for line in said)
    assert not (model.folder / SOLVED_IN_TIME).exists()


def test_a_run_that_is_resumed_has_the_same_ones(hurried: tuple[Trained, list[str]], tmp_path: Path) -> None:
    """The clock is read once: afterwards the names decide, however fast the machine is now."""
    task, train = ask(LOAD, horizon=3, season=17)
    config = within(hurried[0].config, 1e-6)

    def solved(config: RunConfig, folder: Path = tmp_path) -> set[str]:
        return {*rivals_in_time(folder, config, task, train, {"valid": train}, lambda _: None).solved}

    few = solved(config)
    assert "last_value" in few and "arima" not in few
    assert solved(within(config, 10)) == few
    (tmp_path / SOLVED_IN_TIME).unlink()
    assert "arima" in solved(within(config, None, steps=5))  # a budget of steps reads no clock
