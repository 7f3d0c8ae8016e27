from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.metrics._bootstrap import interval, redrawn, standard_error
from unrolled.metrics.judged import ChosenTokens, Seasonal
from unrolled.metrics.scoring import added


def groups_of(right: np.ndarray) -> list[dict[str, torch.Tensor]]:
    ones = torch.ones(1).long()
    return [added({}, (ChosenTokens(ones * int(hit), ones),)) for hit in right]


def test_the_error_of_a_share_is_that_of_the_formula() -> None:
    """The standard error of a share p of n is sqrt(p (1 - p) / n)."""
    right = np.random.default_rng(0).random(400) < 0.3
    share = right.mean()
    draws = redrawn(groups_of(right), draws=2000)
    assert np.std([draw["accuracy"] for draw in draws]) == pytest.approx(math.sqrt(share * (1 - share) / 400), rel=0.05)
    low, high = interval("accuracy", draws) or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(share * (1 - share) / 400), rel=0.1)


def test_two_models_are_compared_on_the_same_groups() -> None:
    """One that is right wherever the other is, and once more, differs by little."""
    one = np.random.default_rng(0).random(200) < 0.5
    other = one | (np.arange(200) == int(np.flatnonzero(~one)[0]))
    error = standard_error("accuracy", redrawn(groups_of(one)), redrawn(groups_of(other)))
    assert error == pytest.approx(1 / 200, rel=0.2)
    assert standard_error("accuracy", redrawn(groups_of(one)), redrawn(groups_of(one))) == 0.0
    assert math.isnan(standard_error("mae", redrawn(groups_of(one)), redrawn(groups_of(one))))


def test_a_metric_with_a_number_for_each_series_is_left_out() -> None:
    one = Seasonal(torch.ones(2, 1), torch.zeros(2, 1), torch.tensor([0, 1]), torch.ones(2, 1))
    two = Seasonal(torch.ones(1, 1), torch.zeros(1, 1), torch.tensor([0]), torch.ones(1, 1))
    assert redrawn([added({}, (one,)), added({}, (two,))], draws=2) == [{}, {}]
    assert interval("mase", [{}, {}]) is None
