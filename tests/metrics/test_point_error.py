from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error

from unrolled.metrics.judged import Forecasts, NextValues, Values
from unrolled.metrics.point_error import PointError


def errors(judged: Values | NextValues | Forecasts) -> dict[str, float]:
    return PointError().values(PointError().sums(judged))


def test_a_number_for_each_row_is_judged_in_both_units() -> None:
    random = np.random.default_rng(0)
    right = random.normal(size=300)
    answer = right + random.normal(size=300)
    assert errors(Values(torch.tensor(answer), torch.tensor(right), std=3.0)) == {
        "mse_scaled": pytest.approx(mean_squared_error(right, answer)),
        "mse": pytest.approx(mean_squared_error(3 * right, 3 * answer)),
        "mae": pytest.approx(mean_absolute_error(3 * right, 3 * answer)),
    }


def test_missing_numbers_are_left_out() -> None:
    answer, right = torch.tensor([2.0, 100.0, 3.0]), torch.tensor([1.0, math.nan, 3.0])
    assert errors(Values(answer, right, 1.0)) == {"mse_scaled": 0.5, "mse": 0.5, "mae": 0.5}


def test_float32_sums_are_exact_enough() -> None:
    found = errors(NextValues(torch.full((3_000_000, 1), 0.1), torch.zeros(3_000_000, 1)))
    assert found["mae_scaled"] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_a_forecast_is_in_the_units_of_each_channel() -> None:
    answer, right = torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]]), torch.tensor([[[2.0, math.nan]], [[0.0, 3.0]]])
    assert errors(Forecasts(answer, right, torch.tensor([10.0, 0.0]), torch.tensor([1.0, 5.0]))) == {
        "mse_scaled": pytest.approx((1 + 0 + 4) / 3),
        "mae_scaled": pytest.approx((1 + 0 + 2) / 3),
        "mae": pytest.approx((1 + 0 + 10) / 3),
    }
