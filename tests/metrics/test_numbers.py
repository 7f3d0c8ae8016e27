"""Errors of numbers and forecasts, against scikit-learn where it has them, else against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error, r2_score

from unrolled.metrics.judged import Forecasts, Intervals, NextValues, Quantiles, Seasonal, Values
from unrolled.metrics.scoring import scores


def values(answer: list[float] | np.ndarray, right: list[float] | np.ndarray, std: float = 1.0) -> dict[str, float]:
    return scores([(Values(torch.tensor(answer), torch.tensor(right), std),)])


def test_a_number_for_each_row() -> None:
    random = np.random.default_rng(0)
    right = random.normal(size=300)
    answer = right + random.normal(size=300)
    assert values(answer, right, std=3.0) == {
        "mse_scaled": pytest.approx(mean_squared_error(right, answer)),
        "mse": pytest.approx(mean_squared_error(3 * right, 3 * answer)),
        "mae": pytest.approx(mean_absolute_error(3 * right, 3 * answer)),
        "r2": pytest.approx(r2_score(right, answer)),
    }


@pytest.mark.parametrize("constant", [1.0, 0.1, -1e6])
def test_a_target_that_does_not_vary(constant: float) -> None:
    right = np.full(300, constant)
    assert values(right + np.arange(300), right)["r2"] == 0  # whatever is left of its variance by rounding
    assert values(right, right)["r2"] == 1


def test_missing_numbers_are_left_out() -> None:
    assert values([2.0, 100.0, 3.0], [1.0, math.nan, 3.0]) == {"mse_scaled": 0.5, "mse": 0.5, "mae": 0.5, "r2": 0.5}


def test_float32_sums_are_exact_enough() -> None:
    found = scores([(NextValues(torch.full((3_000_000, 1), 0.1), torch.zeros(3_000_000, 1)),)])
    assert found["mae_scaled"] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_forecasts_in_scaled_units_and_in_the_users() -> None:
    answer, right = np.array([[[1.0, 2.0]], [[0.0, 1.0]]]), np.array([[[2.0, math.nan]], [[0.0, 3.0]]])
    mean, std = np.array([10.0, 0.0]), np.array([1.0, 5.0])
    found = scores([(Forecasts(*(torch.tensor(part) for part in (answer, right, mean, std))),)])
    assert found == {
        "mse_scaled": pytest.approx((1 + 0 + 4) / 3),
        "mae_scaled": pytest.approx((1 + 0 + 2) / 3),
        "mae": pytest.approx((1 + 0 + 10) / 3),
        "smape_percent": pytest.approx((200 * 1 / 23 + 0 + 200 * 10 / 20) / 3),
    }


def test_percentages_are_symmetric_and_bounded() -> None:
    right, answer = torch.tensor([10.0, 0.0, 0.0, -4.0, math.nan]), torch.tensor([30.0, 0.0, 2.0, 4.0, 1.0])
    for one, other in ((answer, right), (right.nan_to_num(1.0), answer)):
        parts = Forecasts(one[:4, None], other[:4, None], torch.zeros(1), torch.ones(1))
        assert scores([(parts,)])["smape_percent"] == pytest.approx((100 + 0 + 200 + 200) / 4)


def test_only_channels_whose_repetition_misses_are_scaled_by_it() -> None:
    answer, right = torch.zeros(2, 1, 2), torch.tensor([[[1.0, 7.0]], [[math.nan, 7.0]]])
    assert scores([(Seasonal(answer, right, torch.tensor([4.0, math.nan])),)]) == {"mase": 0.25}
    assert scores([(Seasonal(answer, right, torch.full((2,), math.nan)),)]) == {}


def test_quantiles() -> None:
    random = np.random.default_rng(0)
    levels, right = (0.1, 0.5, 0.9), random.normal(size=200)
    found = np.sort(random.normal(size=(200, 3)), 1)
    worth = np.mean([mean_pinball_loss(right, found[:, k], alpha=level) for k, level in enumerate(levels)])
    assert scores([(Quantiles(levels, torch.tensor(found), torch.tensor(right)),)]) == {
        "pinball_scaled": pytest.approx(worth),
        "crps_scaled": pytest.approx(2 * worth),
    }


def test_the_ends_of_an_interval_lie_in_it() -> None:
    low, high, right = (torch.tensor(part) for part in ([0.0] * 5, [1.0] * 5, [0.0, 1.0, 0.5, 1.1, math.nan]))
    assert scores([(Intervals(low, high, right),)]) == {"coverage": 0.75}
