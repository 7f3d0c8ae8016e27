from __future__ import annotations

import math

import pytest
import torch
from samples import SAMPLES, sequences
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import DataError, UsageError
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
    metrics = task.summarise(task.measure(torch.zeros(2, 3), batch(X, [2, 1], target)))
    std = float(task.coder.answer.std[0])  # type: ignore[attr-defined]
    assert metrics == {
        "mse_scaled": pytest.approx(1.0),
        "mae_scaled": pytest.approx(0.6),
        "mae": pytest.approx(0.6 * std),
    }


def test_quantiles_by_hand() -> None:
    task = quantiles()
    assert task.quantiles == (0.1, 0.5, 0.9)
    assert task.outputs == 2 * 2 * 3
    x = torch.zeros(1, 1, 2)
    change = torch.tensor([-1.0, 0.0, 1.0]).repeat(4)[None]
    target = torch.tensor([[[0.5, -2.0], [0.0, math.nan]]])
    metrics = task.summarise(task.measure(change, batch(x, [1], target, "series")))

    def pinball(y: float) -> float:
        return sum(max(q * (y - f), (q - 1) * (y - f)) for q, f in ((0.1, -1), (0.5, 0), (0.9, 1))) / 3

    assert metrics["pinball_scaled"] == pytest.approx((pinball(0.5) + pinball(-2) + pinball(0)) / 3)
    assert metrics["coverage"] == pytest.approx(2 / 3)
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
    assert Forecast.recognises(sample.question()) == "--horizon 3 was asked"
    assert Forecast.recognises(Question(sample.data, ("wave",), (), None)) is None
    with pytest.raises(UsageError, match="a forecast needs --horizon, the number of steps to look ahead"):
        Forecast.roles(Question(sample.data, ("wave",), (), None))


def test_its_columns_are_numbers_over_time() -> None:
    data = sequences(
        {"x": [[1.0, 2.0]], "word": [["a", "b"]], "n": [3.0]}, {"x": "number", "word": "category", "n": "number"}
    )
    assert Forecast.roles(Question(data, (), (), 2)).inputs == ("x", "word", "n")
    assert Forecast.roles(Question(data, ("x",), ("n",), 2)).inputs == ("x", "n")
    with pytest.raises(DataError, match=r"column 'n': is number, not a number for each step"):
        Forecast.roles(Question(data, ("n",), (), 2))
    with pytest.raises(DataError, match=r"column 'word': is category, not a number for each step"):
        Forecast.roles(Question(data, ("x", "word"), (), 2))
    plain = sequences({"n": [3.0]}, {"n": "number"})
    with pytest.raises(DataError, match=r"no column holds numbers over time \(name --order or --by\)"):
        Forecast.roles(Question(plain, (), (), 2))
