"""The scores of forecasts against integrals taken in small steps."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from unrolled.metrics.judged import Gaussians, Points, Quantiles
from unrolled.metrics.scoring import scores


def integrated(mean: float, sigma: float, target: float) -> float:
    """The integral of (F(x) − [x ≥ y])² by the trapezoid rule, F itself by summing the density."""
    x = np.linspace(mean - 12 * sigma - abs(target - mean), mean + 12 * sigma + abs(target - mean), 400_001)
    step = x[1] - x[0]
    density = np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    below = np.cumsum(density) * step
    return float((np.square(below - (x >= target)) * step).sum())


def score(judged: object) -> float:
    return scores([(judged,)])["crps_scaled"]


def gaussian(mean: float, sigma: float, target: float) -> float:
    return score(Gaussians(*(torch.tensor([part], dtype=torch.float64) for part in (mean, sigma, target))))


@pytest.mark.parametrize(("mean", "sigma", "target"), [(0, 1, 0), (2, 0.5, 3), (-1, 3, -9), (0, 0.01, 1), (5, 2, 4.5)])
def test_the_score_of_a_gaussian_is_its_integral(mean: float, sigma: float, target: float) -> None:
    assert gaussian(mean, sigma, target) == pytest.approx(integrated(mean, sigma, target), rel=1e-3)


def test_many_quantiles_come_near_to_it() -> None:
    levels = (np.arange(200) + 0.5) / 200
    values = torch.tensor([[NormalDist(1, 2).inv_cdf(level) for level in levels]], dtype=torch.float64)
    for target in (-3.0, 1.0, 2.5):
        near = score(Quantiles(tuple(levels.tolist()), values, torch.tensor([target])))
        assert near == pytest.approx(gaussian(1, 2, target), rel=0.01)


def test_what_has_no_spread_scores_its_absolute_error() -> None:
    target, answer = torch.tensor([1.0, -2.0, math.nan]), torch.tensor([3.0, -2.0, 0.0])
    expected = pytest.approx(1.0, abs=1e-8)
    assert score(Gaussians(answer, torch.full((3,), 1e-9), target)) == expected
    assert score(Quantiles((0.5,), answer[:, None], target)) == expected
    assert score(Points(answer, target)) == expected
