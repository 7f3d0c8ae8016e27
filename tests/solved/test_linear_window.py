"""The linear window finds linear laws, repeats where nothing better is known, and streams what it predicts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.solved.linear_window import LinearWindow, WindowState, _Divided
from unrolled.solved.solved_model import SOLVED
from unrolled.state import from_bytes, to_bytes
from unrolled.tasks.forecast import Forecast
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate

SEASON = 12


def solved(rows: list[Any], horizon: int = 4, lookback: int = 64, **options: Any) -> tuple[LinearWindow, Forecast, Any]:
    """A model solved on series of one channel."""
    sample = Sample(
        "forecast",
        sequences({"x": rows}, {"x": "number"}),
        options={"horizon": horizon, "lookback": lookback, **options},
    )
    task = sample.ask()
    train = task.coder.encode(sample.data)
    task = task.measure_training(train).task
    assert isinstance(task, Forecast) and LinearWindow.applies(task, train)
    return LinearWindow.solve(task, train, LinearWindow.Options(), 0), task, train


def forecast(model: LinearWindow, task: Forecast, row: list[Any]) -> list[float]:
    """In the data's own units, with ``None`` in the row for what is missing."""
    part = replace(task.coder.encode(sequences({"x": [row]}, {"x": "number"})), target=None)
    batch = Loader(part, Windows(np.zeros(1, int), np.array([len(row)]), task.batching.lookback, 1))[0]
    return task.answers(model.run(batch)[0], batch)["x_predicted"][0]


def walk(steps: int, seed: int = 0) -> list[float]:
    return np.cumsum(np.random.default_rng(seed).normal(size=steps)).tolist()


def wave(steps: int, noise: float = 0.0, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return (10 + 3 * np.sin(2 * np.pi * np.arange(steps) / SEASON) + noise * random.normal(size=steps)).tolist()


def test_it_is_a_solved_model_of_forecasts_only() -> None:
    assert SOLVED.members()["linear_window"] is LinearWindow
    for name, sample in SAMPLES.items():
        task = sample.ask()
        assert LinearWindow.applies(task, sample.examples(task)) == (sample.task == "forecast"), name


def test_a_linear_law_is_found() -> None:
    """x_t = 1.6 x_{t−1} − 0.8 x_{t−2} + e: the best forecast of one step is known, and that of the next follows."""
    random, x = np.random.default_rng(0), [0.0, 0.0]
    for e in random.normal(size=5000):
        x.append(1.6 * x[-1] - 0.8 * x[-2] + e)
    model, task, _ = solved([x], horizon=2)
    first = 1.6 * x[-1] - 0.8 * x[-2]
    assert forecast(model, task, x) == pytest.approx([first, 1.6 * first - 0.8 * x[-1]], abs=0.25)


@pytest.mark.parametrize("steps", [24, 60, 300])
def test_a_season_without_noise_goes_on(steps: int) -> None:
    model, task, _ = solved([wave(steps)], horizon=6, season=SEASON)
    assert forecast(model, task, wave(steps)) == pytest.approx(wave(steps + 6)[-6:], abs=0.05)


def test_a_line_goes_on() -> None:
    model, task, _ = solved([np.arange(60.0).tolist()], horizon=3)
    assert forecast(model, task, np.arange(60.0).tolist()) == pytest.approx([60, 61, 62], abs=0.5)


def test_nothing_clearly_better_than_repeating_is_taken_for_a_walk() -> None:
    x = walk(2000)
    model, task, _ = solved([x])
    later = replace(
        task.coder.encode(sequences({"x": [x + (np.array(walk(500, 1)) + x[-1]).tolist()]}, {"x": "number"})),
        first=np.array([2000]),
    )
    mse = evaluate(model, task, later, TrainingConfig())["mse_scaled"]
    model._take(np.array([[1.0] * 4, [0.0] * 4]) if model.weight.shape[1] == 1 else _last(model), np.zeros((4, 1)))
    assert mse <= 1.02 * evaluate(model, task, later, TrainingConfig())["mse_scaled"]


def _last(model: LinearWindow) -> np.ndarray:
    weights = np.zeros((model.weight.shape[1] + 1, model.weight.shape[0]))
    weights[-2] = 1
    return weights


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 9, 12, 13, 20])
def test_a_series_may_be_as_short_as_can_be(steps: int) -> None:
    model, task, _ = solved([walk(steps)], horizon=4)
    assert np.isfinite(forecast(model, task, walk(steps))).all()
    model, task, _ = solved([walk(steps), walk(40, 1), walk(1, 2)], horizon=4)
    assert np.isfinite(forecast(model, task, walk(steps))).all()


def test_a_constant_series_stays() -> None:
    model, task, _ = solved([[5.0] * 40], horizon=3)
    assert forecast(model, task, [5.0] * 40) == pytest.approx([5.0] * 3)


def test_no_target_to_solve_from_lies_where_the_choice_is_made() -> None:
    _, task, train = solved([walk(100), walk(30, 1), walk(7, 2)])
    divided = _Divided.of(task, train, 1)
    rows = np.searchsorted(np.cumsum(train.steps()), divided.source.begins, side="right")
    for row in (0, 1):
        stops = divided.source.stops
        early = stops[divided.early][rows[divided.early] == row]
        late = stops[divided.late][rows[divided.late] == row]
        assert early.max() + task.coder.horizon <= late.min()
        assert len(late) == {0: 20 - 4 + 1, 1: 6 - 4 + 1}[row]
    assert not (rows[divided.early] == 2).any() and not (rows[divided.late] == 2).any()
    assert len(divided.early) + len(divided.late) + len(divided.others) == 96 + 26 + 3


def test_missing_values_are_the_last_known_one() -> None:
    x: list[Any] = walk(300)
    gaps = [None if t % 7 == 3 else value for t, value in enumerate(x)]
    model, task, _ = solved([gaps])
    assert task.coder.answer.flagged == [0]  # type: ignore[attr-defined]
    full = forecast(model, task, [*x[:100], x[99]])
    assert forecast(model, task, [*x[:100], None]) == pytest.approx(full, rel=1e-4)


@pytest.mark.parametrize("kind", ["point", "quantiles", "gaussian"])
def test_live_in_chunks_and_at_once_are_the_same(kind: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "point": {},
        "quantiles": {"quantiles": (0.1, 0.5, 0.9)},
        "gaussian": {"distribution": "gaussian"},
    }
    x = [None if t in (0, 5, 40) else v for t, v in enumerate(wave(70, 0.3))]
    model, _, train = solved([wave(200, 0.3), x], season=SEASON, **kinds[kind])
    values = torch.from_numpy(train.inputs["x"].values[200:])[None]  # (1, T, W)

    def one(begin: int, end: int) -> Batch:
        return Batch({"x": values[:, begin:end]}, torch.tensor([end - begin]), torch.zeros(1, dtype=torch.int64))

    whole, after = model.run(one(0, 70))
    state, outputs = model.initial_state(1), whole
    for begin, end in pairwise([0, 1, 3, 33, 70]):
        outputs, state = model.run(one(begin, end), state)
    assert torch.equal(outputs, whole)
    assert torch.equal(state.values, after.values) and torch.equal(state.steps, after.steps)
    live = model.session()
    for step in values[0]:
        found = live.push({"x": step[None]})
        kept, _ = from_bytes(to_bytes(live.state), model.initial_state(1))
        live.state = WindowState(*kept)
    assert torch.equal(found, whole)


def test_padding_is_never_read_and_rows_do_not_touch_each_other() -> None:
    model, _, _ = solved([wave(200, 0.3), wave(30, 0.3, 1)], season=SEASON)
    x = torch.randn(5, 40, 1)
    lengths = torch.tensor([40, 3, 17, 1, 33])

    def outputs(values: Tensor) -> Tensor:
        return model.run(Batch({"x": values}, lengths, torch.arange(5)))[0]

    spoiled = torch.where(torch.arange(40)[None, :, None] < lengths[:, None, None], x, torch.nan)
    assert torch.equal(outputs(x), outputs(spoiled))
    for row, length in enumerate(lengths.tolist()):
        alone = Batch({"x": x[row : row + 1, :length]}, lengths[row : row + 1], torch.zeros(1, dtype=torch.int64))
        assert torch.equal(model.run(alone)[0][0], outputs(x)[row])


def test_a_saved_one_is_the_same() -> None:
    model, task, train = solved([wave(200, 0.3)], season=SEASON)
    again = LinearWindow(task, LinearWindow.Options.check(model.options.model_dump()))
    again.load_state_dict(model.state_dict())
    config = TrainingConfig()
    assert evaluate(again, task, train, config) == evaluate(model, task, train, config)
    assert again.title == model.title
    with torch.device("meta"):
        assert LinearWindow(task, model.options).weight.shape == model.weight.shape
    second, _, _ = solved([wave(200, 0.3)], season=SEASON)
    assert all(torch.equal(a, b) for a, b in zip(second.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize("asked", [{"quantiles": (0.1, 0.5, 0.9)}, {"distribution": "gaussian"}])
def test_its_intervals_hold_what_they_say(asked: dict[str, Any]) -> None:
    model, task, _ = solved([wave(600, 1.0)], season=SEASON, **asked)
    x = wave(1200, 1.0)[:600] + wave(600, 1.0, 5)
    later = replace(task.coder.encode(sequences({"x": [x]}, {"x": "number"})), first=np.array([600]))
    assert evaluate(model, task, later, TrainingConfig())["coverage"] == pytest.approx(0.8, abs=0.07)


def test_windows_with_their_own_scale_are_forecast_at_any_level() -> None:
    rows = [(level * (1 + 0.3 * np.array(wave(120, 0.1, level)))).tolist() for level in (1, 10, 100)]
    model, task, _ = solved(rows, horizon=6, lookback=36, season=SEASON, scale="window")
    row = (1000 * (1 + 0.3 * np.array(wave(126)))).tolist()
    assert forecast(model, task, row[:120]) == pytest.approx(row[120:], rel=0.03)
