from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import SAMPLES, sequences
from torch import Tensor

import unrolled as ur
from unrolled.batch import Batch
from unrolled.errors import DataError, UsageError
from unrolled.metrics.ranked_probability import gaussian_crps
from unrolled.metrics.scoring import scores
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Question


def point() -> Forecast:
    task = SAMPLES["forecast"].ask()
    assert isinstance(task, Forecast)
    return task


def quantiles() -> Forecast:
    task = SAMPLES["forecast quantiles"].ask()
    assert isinstance(task, Forecast)
    return task


def batch(x: Tensor, lengths: list[int], target: Tensor | None = None, name: str = "wave") -> Batch:
    return Batch({name: x}, torch.tensor(lengths), torch.arange(len(lengths)), target)


X = torch.tensor([[[1.0], [2.0], [0.0]], [[5.0], [0.0], [0.0]]])


def test_a_network_that_knows_nothing_is_the_last_value() -> None:
    task = point()
    assert task.outputs == 3
    forecast = task.predict(torch.zeros(2, 3), batch(X, [2, 1]))
    assert forecast[..., 0, 0].tolist() == [[2.0] * 3, [5.0] * 3]


def test_point_forecasts_by_hand() -> None:
    task = point()
    target = torch.tensor([[[2.0], [3.0], [4.0]], [[5.0], [math.nan], [5.0]]])
    total, count = task.loss(torch.zeros(2, 3), batch(X, [2, 1], target))
    assert (float(total), int(count)) == (5.0, 5)
    metrics = scores([task.judge(torch.zeros(2, 3), batch(X, [2, 1], target))])
    std, mean = float(task.coder.answer.std[0]), float(task.coder.answer.mean[0])  # type: ignore[attr-defined]
    answers, truths = (np.array(z) * std + mean for z in ([2, 2, 2, 5, 5], [2, 3, 4, 5, 5]))
    smape = (200 * np.abs(answers - truths) / (np.abs(answers) + np.abs(truths))).mean()
    assert metrics == {
        "mse_scaled": pytest.approx(1.0),
        "mae_scaled": pytest.approx(0.6),
        "mae": pytest.approx(0.6 * std),
        "smape_percent": pytest.approx(smape),
    }


def test_scaled_by_what_repeating_the_season_misses() -> None:
    """Only the channel that has such an error counts; a missing target does not."""
    task = quantiles()
    target = torch.tensor([[[0.5, -2.0], [math.nan, 7.0]]])
    asked = replace(batch(torch.zeros(1, 1, 2), [1], target, "series"), naive=torch.tensor([[0.5, math.nan]]))
    assert scores([task.judge(torch.zeros(1, 12), asked)])["mase"] == pytest.approx(0.5 / 0.5)
    assert "mase" not in scores([task.judge(torch.zeros(1, 12), batch(torch.zeros(1, 1, 2), [1], target, "series"))])


def test_a_gaussian_by_hand() -> None:
    task = SAMPLES["forecast gaussian"].ask()
    assert isinstance(task, Forecast) and task.outputs == 2 * 2 * 2 and task.watch == "nll_nats_per_value"
    x = torch.tensor([[[1.0, 2.0]]])
    outputs = torch.tensor([[0.5, 0.0, 0.0, math.log(2), 0.0, -99.0, 1.0, 0.0]])  # of each step and channel: μ, log σ
    target = torch.tensor([[[2.0, 0.0], [1.0, math.nan]]])
    asked = batch(x, [1], target, "series")
    expected = [(1.5, 1.0, 2.0), (2.0, 2.0, 0.0), (1.0, math.exp(-7), 1.0)]  # μ, σ, y; σ is bounded
    nats = [-math.log(math.exp(-0.5 * ((y - m) / s) ** 2) / (s * math.sqrt(2 * math.pi))) for m, s, y in expected]
    total, count = task.loss(outputs, asked)
    assert (float(total), int(count)) == (pytest.approx(sum(nats), rel=1e-5), 3)
    metrics = scores([task.judge(outputs, asked)])
    assert metrics["nll_nats_per_value"] == pytest.approx(sum(nats) / 3, rel=1e-5)
    worth = gaussian_crps(*torch.tensor(expected, dtype=torch.float64).unbind(1))
    assert metrics["crps_scaled"] == pytest.approx(float(worth.mean()), rel=1e-5)
    assert metrics["mae_scaled"] == pytest.approx((0.5 + 2) / 3)
    std = task.coder.answer.std  # type: ignore[attr-defined]
    answers = task.answers(outputs, asked)
    assert list(answers) == ["wave_predicted", "wave_sigma", "other_predicted", "other_sigma"]
    assert answers["other_sigma"][0] == pytest.approx([2 * std[1], std[1]])


def test_quantiles_by_hand() -> None:
    task = quantiles()
    assert task.quantiles == (0.1, 0.5, 0.9)
    assert task.outputs == 2 * 2 * 3
    x = torch.zeros(1, 1, 2)
    change = torch.tensor([-1.0, 0.0, 1.0]).repeat(4)[None]
    target = torch.tensor([[[0.5, -2.0], [0.0, math.nan]]])
    metrics = scores([task.judge(change, batch(x, [1], target, "series"))])

    def pinball(y: float) -> float:
        return sum(max(q * (y - f), (q - 1) * (y - f)) for q, f in ((0.1, -1), (0.5, 0), (0.9, 1))) / 3

    assert metrics["pinball_scaled"] == pytest.approx((pinball(0.5) + pinball(-2) + pinball(0)) / 3)
    assert metrics["coverage"] == pytest.approx(2 / 3)
    assert metrics["crps_scaled"] == pytest.approx(2 * metrics["pinball_scaled"])
    assert metrics["mae_scaled"] == pytest.approx(2.5 / 3)  # of the median


def test_quantiles_never_cross() -> None:
    task = quantiles()
    forecast = task.predict(torch.randn(3, 12), batch(torch.zeros(3, 1, 2), [1, 1, 1], name="series"))
    assert (forecast.diff(dim=-1) >= 0).all()


def test_answers_are_in_the_columns_own_units() -> None:
    task = point()
    mean, std = float(task.coder.answer.mean[0]), float(task.coder.answer.std[0])  # type: ignore[attr-defined]
    answers = task.answers(torch.zeros(2, 3), batch(X, [2, 1]))
    assert answers.keys() == {"wave_predicted"}
    assert answers["wave_predicted"][0] == pytest.approx([2 * std + mean] * 3)
    names = quantiles().answers(torch.zeros(1, 12), batch(torch.zeros(1, 1, 2), [1], name="series")).keys()
    assert list(names) == [f"{c}_{end}" for c in ("wave", "other") for end in ("predicted", "q10", "q50", "q90")]


def test_it_is_asked_for_by_its_horizon() -> None:
    sample = SAMPLES["forecast"]
    assert Forecast.recognises(sample.question()) == (100, "horizon is 3")
    assert Forecast.recognises(Question(sample.data, ("wave",), ())) is None
    with pytest.raises(UsageError, match="the task 'forecast' needs horizon, the number of steps to forecast"):
        Forecast.roles(Question(sample.data, ("wave",), ()))


def test_its_columns_are_numbers_over_time() -> None:
    data = sequences(
        {"x": [[1.0, 2.0]], "word": [["a", "b"]], "n": [3.0]}, {"x": "number", "word": "category", "n": "number"}
    )
    assert Forecast.roles(Question(data, (), (), {"horizon": 2})).inputs == ("x", "word", "n")
    assert Forecast.roles(Question(data, ("x",), ("n",), {"horizon": 2})).inputs == ("x", "n")
    texts = sequences(
        {"x": [[1.0, 2.0], [2.0, 4.0]], "word": [["a", "b"]] * 2, "city": ["Rome", "Ys"]},
        {"x": "number", "word": "tokens", "city": "tokens"},
    )
    assert Forecast.roles(Question(texts, (), (), {"horizon": 1})).kinds == {
        "city": "category"
    }  # one of a series is its name
    with pytest.raises(DataError, match=r"column 'n': is number, not a number for each step"):
        Forecast.roles(Question(data, ("n",), (), {"horizon": 2}))
    with pytest.raises(DataError, match=r"column 'word': is category, not a number for each step"):
        Forecast.roles(Question(data, ("x", "word"), (), {"horizon": 2}))
    plain = sequences({"n": [3.0]}, {"n": "number"})
    with pytest.raises(
        DataError, match=r"no column holds numbers over time \(if each row is one step, give order or by\)"
    ):
        Forecast.roles(Question(plain, (), (), {"horizon": 2}))


def test_what_holds_for_a_whole_series_is_read(tmp_path: Path) -> None:
    """A series goes from 0 to its level and back; a window of one step at 0 tells no level, its region and size do."""
    rows = [
        {"shop": shop, "region": "north" if shop % 2 else "south", "size": shop // 2, "day": day, "sold": sold}
        for shop in range(6)
        for day in range(30)
        for sold in [0.0 if day % 2 else 5.0 * (shop % 2) + shop // 2]
    ]
    options = {"by": "shop", "order": "day", "horizon": 1, "lookback": 1, "window": 1, "model": "window", "seed": 1}
    options |= {"steps": 200, "lr": 0.03, "target": "sold", "test": 0.2, "plan": "fixed"}
    told = ur.fit(rows, out=tmp_path / "told", **options)
    assert list(told.task.coder.inputs) == ["sold", "region", "size"]
    plain = ur.fit(rows, out=tmp_path / "plain", inputs=["sold"], **options)
    assert list(plain.task.coder.inputs) == ["sold"]
    assert told.metrics["test"]["mse_scaled"] < 0.01 < 0.1 < plain.metrics["test"]["mse_scaled"]
    answers = ur.load(tmp_path / "told").predict(rows)["sold_predicted"].to_pylist()
    live = told.stream()
    for row in rows[30:60]:
        last = live.push({name: row[name] for name in ("sold", "region", "size")})
    assert last["sold_predicted"] == pytest.approx(answers[1], rel=1e-4)
    with pytest.raises(
        DataError, match="column 'region': changes within a sequence, but the model was trained with one"
    ):
        told.predict([{**row, "region": "north" if row["day"] else "south"} for row in rows])


@pytest.mark.parametrize(("horizon", "asked", "expected"), [(3, None, 64), (96, None, 288), (96, 10, 10)])
def test_a_forecast_looks_back_three_horizons(horizon: int, asked: int | None, expected: int) -> None:
    sample = replace(SAMPLES["forecast"], options={"horizon": horizon, "lookback": asked})
    assert sample.ask().batching.lookback == expected
