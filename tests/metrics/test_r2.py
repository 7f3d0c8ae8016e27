from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from unrolled.metrics.judged import Values
from unrolled.metrics.scoring import scores


def r2(answer: np.ndarray, right: np.ndarray) -> float:
    return scores([(Values(torch.tensor(answer), torch.tensor(right), 1.0),)])["r2"]


def test_of_numbers_that_vary() -> None:
    random = np.random.default_rng(0)
    right = random.normal(size=300)
    answer = right + random.normal(size=300)
    assert r2(answer, right) == pytest.approx(r2_score(right, answer))
    assert r2(np.array([2.0, 100.0, 3.0]), np.array([1.0, math.nan, 3.0])) == 0.5


@pytest.mark.parametrize("constant", [1.0, 0.1, -1e6])
def test_of_a_target_that_does_not_vary(constant: float) -> None:
    right = np.full(300, constant)
    assert r2(right + np.arange(300), right) == 0  # whatever is left of its variance by rounding
    assert r2(right, right) == 1
