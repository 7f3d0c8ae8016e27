"""Point forecasts have intervals that hold 80 % of later values, however few forecasts were held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

import unrolled as ur
from unrolled.batch import Batch
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.solved.linear_window import LinearWindow
from unrolled.tasks._intervals import Errors, HeldErrors, Widths, errors_of_simple_forecasts
from unrolled.tasks.forecast import Forecast
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate, outputs_over

SHORT = {"steps": 5, "hidden": 4, "seed": 0}


def walk(random: np.random.Generator, steps: int) -> np.ndarray:
    return np.cumsum(random.normal(size=steps))


def season(random: np.random.Generator, steps: int) -> np.ndarray:
    return 2 * np.sin(2 * np.pi * np.arange(steps) / 12) + 0.5 * random.normal(size=steps)


def uneven(random: np.random.Generator, steps: int) -> np.ndarray:
    """Noise that is five times as strong in one half of the season as in the other."""
    wave = np.sin(2 * np.pi * np.arange(steps) / 12)
    return 2 * wave + np.where(wave > 0, 1.0, 0.2) * random.normal(size=steps)


def covered(series: np.ndarray, horizon: int) -> float:
    """The share of the last fifth that lies in the intervals of a linear window, measured on the fifth before."""
    steps = len(series)
    cut = [steps - 2 * (steps // 5), steps - steps // 5]
    parts = [sequences({"x": [series[:end].tolist()]}, {"x": "number"}) for end in (*cut, steps)]
    task = Sample("forecast", parts[0], options={"horizon": horizon, "season": 12}).ask()
    train = task.coder.encode(parts[0])
    task = task.measure_training(train).task
    valid, test = (
        replace(task.coder.encode(part), first=np.array([first])) for part, first in zip(parts[1:], cut, strict=True)
    )
    model = LinearWindow.solve(task, train, LinearWindow.Options(), 0)
    task = task.measure_validation(outputs_over(model, task, valid, TrainingConfig()))
    metrics = evaluate(model, task, test, TrainingConfig())
    assert metrics["coverage_nominal"] == pytest.approx(0.8)
    return metrics["coverage"]


@pytest.mark.parametrize(("steps", "times", "off"), [(60, 24, 0.12), (300, 6, 0.1), (4000, 1, 0.06)])
@pytest.mark.parametrize("made", [walk, season, uneven])
def test_they_hold_four_of_five_later_values(made: Any, steps: int, times: int, off: float) -> None:
    random = np.random.default_rng(0)
    found = [covered(made(random, steps), horizon=6) for _ in range(times)]
    assert np.mean(found) == pytest.approx(0.8, abs=off)


def test_their_width_at_each_step_ahead_is_that_of_the_errors() -> None:
    random, held = np.random.default_rng(0), HeldErrors()
    errors = random.normal(size=(4000, 5, 2)) * np.array([[1.0], [2], [3], [4], [5]]) * np.array([1.0, 10.0])
    for part in np.split(errors, 8):
        held.add(part, [0] * len(part))
    widths = held.widths(None, scaled=True)
    expected = 1.2816 * np.outer([1, 2, 3, 4, 5], [1, 10])
    assert widths.below == pytest.approx(expected, rel=0.06) and widths.above == pytest.approx(expected, rel=0.06)


def test_errors_to_one_side_move_the_interval() -> None:
    held = HeldErrors()
    held.add(3 + np.random.default_rng(0).normal(size=(2000, 4, 1)), [0] * 2000)
    widths = held.widths(None, scaled=True)
    assert widths.below.max() == 0 and widths.above == pytest.approx(np.full((4, 1), 4.28), rel=0.05)


def test_one_forecast_alone_says_little() -> None:
    """A lucky forecast leaves most of the width that simple forecasts of the training split had."""
    before, lucky = Errors(np.sqrt(np.arange(1.0, 13))[:, None], np.array([12.0])), HeldErrors()
    lucky.add(np.full((1, 12, 1), 0.01), [0])
    found = lucky.widths(before, scaled=True).below[:, 0]
    assert 0.5 < found[0] < 2.2 and found[11] / found[0] == pytest.approx(12**0.5, rel=0.25)


def test_simple_forecasts_of_a_walk_grow_with_the_root_of_the_step_ahead() -> None:
    task = Sample(
        "forecast",
        sequences({"x": [walk(np.random.default_rng(0), 20_000).tolist()]}, {"x": "number"}),
        options={"horizon": 9},
    ).ask()
    errors = errors_of_simple_forecasts(
        task.coder.encode(sequences({"x": [walk(np.random.default_rng(0), 20_000).tolist()]}, {"x": "number"})), 1
    )
    assert errors is not None
    assert errors.sizes[:, 0] / errors.sizes[0, 0] == pytest.approx(np.sqrt(np.arange(1, 10)), rel=0.05)
    assert 5 < errors.together[0] < 9


@pytest.mark.parametrize("horizon", [1, 24, 25, 1000])
def test_widths_are_kept_at_a_few_steps_ahead(horizon: int) -> None:
    below = np.sqrt(np.arange(1.0, horizon + 1))[:, None] * np.array([1.0, 2.0])
    curves = Widths(below, 2 * below).curves()
    assert all(len(row) <= 2 * 24 for row in curves.values())
    again = Widths.kept(curves, horizon, 2)
    assert again is not None and Widths.kept({}, horizon, 2) is None
    assert again.below == pytest.approx(below, rel=0.02) and again.above == pytest.approx(2 * below, rel=0.02)


def test_very_many_errors_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.tasks._intervals._MOST_HELD", 100)
    held, errors = HeldErrors(), np.arange(1000.0)[:, None, None]
    for part in np.array_split(errors, 7):
        held.add(part, [0] * len(part))
    kept = np.concatenate(held._parts).ravel()
    assert held.forecasts == 1000 and 50 <= len(kept) <= 100
    assert (np.diff(kept) == np.diff(kept)[0]).all()


def test_answers_metrics_and_streams_have_them_and_a_saved_run_keeps_them(tmp_path: Path) -> None:
    rows = {"day": list(range(90)), "sold": season(np.random.default_rng(0), 90).tolist()}
    model = ur.fit(rows, order="day", horizon=4, lookback=90, target="sold", out=tmp_path / "run", **SHORT)
    assert {"coverage", "coverage_nominal"} <= model.metrics["valid"].keys()
    answer = model.predict(rows).to_pylist()[0]
    low, middle, high = (answer[f"sold_{end}"] for end in ("q10", "predicted", "q90"))
    assert all(a < m < b for a, m, b in zip(low, middle, high, strict=True))
    again = ur.load(tmp_path / "run")
    assert again.predict(rows).equals(model.predict(rows))
    live = again.stream()
    for day, sold in zip(*rows.values(), strict=True):
        last = live.push({"day": day, "sold": sold})
    assert last["sold_q90"] == pytest.approx(high, rel=1e-3) and last["sold_q10"] == pytest.approx(low, rel=1e-3)


def test_without_a_validation_split_they_are_those_of_simple_forecasts(tmp_path: Path) -> None:
    rows = {"day": list(range(60)), "sold": walk(np.random.default_rng(0), 60).tolist()}
    model = ur.fit(rows, order="day", horizon=4, target="sold", valid="0", out=tmp_path / "run", **SHORT)
    answer = model.predict(rows).to_pylist()[0]
    width = np.array(answer["sold_q90"]) - np.array(answer["sold_q10"])
    assert width[0] == pytest.approx(2 * 1.28, rel=0.5) and (np.diff(width) > 0).all()


def test_points_alone_are_asked_for_in_a_word(tmp_path: Path) -> None:
    rows = {"day": list(range(60)), "sold": walk(np.random.default_rng(0), 60).tolist()}
    model = ur.fit(rows, order="day", horizon=4, target="sold", intervals=False, out=tmp_path / "run", **SHORT)
    assert [name for name in model.predict(rows).column_names if "_q" in name] == []
    assert "coverage" not in model.metrics["valid"]


def test_windows_with_their_own_scale_have_intervals_in_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    waves = {"x": [(level * (3 + season(random, 80))).tolist() for level in (10, 100)]}
    model = ur.fit(waves, horizon=4, lookback=24, scale="window", target="x", out=tmp_path / "run", **SHORT)
    small, large = model.predict(waves).to_pylist()
    widths = [np.subtract(row["x_q90"], row["x_q10"]).mean() for row in (small, large)]
    assert 3 < widths[1] / widths[0] < 30


def test_a_run_of_an_earlier_version_gives_points() -> None:
    task = SAMPLES["forecast"].ask()
    assert isinstance(task, Forecast)
    files = task.coder.to_files()
    assert b"curves" not in files["coder.json"]
    old = Forecast(Forecast.Options(horizon=3), Preprocessor.from_files(files))
    batch = Batch({"wave": torch.zeros(1, 2, 1)}, torch.tensor([2]), torch.zeros(1, dtype=torch.int64))
    assert list(old.answers(torch.zeros(1, 3), batch)) == ["wave_predicted"]
