from __future__ import annotations

import math

import pytest
import torch

from unrolled.metrics.judged import Forecasts
from unrolled.metrics.scoring import scores

ONE = torch.ones(1)


def test_percentages_are_symmetric_and_bounded() -> None:
    right, answer = torch.tensor([10.0, 0.0, 0.0, -4.0]), torch.tensor([30.0, 0.0, 2.0, 4.0])
    for one, other in ((answer, right), (right, answer)):
        found = scores([(Forecasts(one[:, None], other[:, None], 0 * ONE, ONE),)])
        assert found["smape_percent"] == pytest.approx((100 + 0 + 200 + 200) / 4)


def test_it_is_of_the_users_units_and_of_what_is_known() -> None:
    answer, right = torch.tensor([[1.0], [5.0]]), torch.tensor([[2.0], [math.nan]])
    found = scores([(Forecasts(answer, right, 10 * ONE, 3 * ONE),)])
    assert found["smape_percent"] == pytest.approx(200 * 3 / (13 + 16))
