"""The scores of forecasts against integrals taken in small steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.metrics._forecasts import gaussian_crps, percent_off, quantile_crps


def integrated(mean: float, sigma: float, target: float) -> float:
    """The integral of (F(x) − [x ≥ y])² by the trapezoid rule, F itself by summing the density."""
    x = np.linspace(mean - 12 * sigma - abs(target - mean), mean + 12 * sigma + abs(target - mean), 400_001)
    step = x[1] - x[0]
    density = np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    below = np.cumsum(density) * step
    return float((np.square(below - (x >= target)) * step).sum())


@pytest.mark.parametrize(("mean", "sigma", "target"), [(0, 1, 0), (2, 0.5, 3), (-1, 3, -9), (0, 0.01, 1), (5, 2, 4.5)])
def test_the_score_of_a_gaussian_is_its_integral(mean: float, sigma: float, target: float) -> None:
    score = gaussian_crps(np.array(mean), np.array(sigma), np.array(target))
    assert float(score) == pytest.approx(integrated(mean, sigma, target), rel=1e-3)


def test_many_quantiles_come_near_to_it() -> None:
    from statistics import NormalDist

    levels = (np.arange(200) + 0.5) / 200
    values = np.array([NormalDist(1, 2).inv_cdf(level) for level in levels])
    for target in (-3.0, 1.0, 2.5):
        near = quantile_crps(levels, values[None], np.array([target]))
        assert near[0] == pytest.approx(float(gaussian_crps(np.array(1.0), np.array(2.0), np.array(target))), rel=0.01)


def test_what_has_no_spread_scores_its_absolute_error() -> None:
    target, answer = np.array([1.0, -2.0, math.nan]), np.array([3.0, -2.0, 0.0])
    expected = np.abs(target - answer)
    assert gaussian_crps(answer, np.array(1e-9), target) == pytest.approx(expected, abs=1e-8, nan_ok=True)
    assert quantile_crps(np.array([0.5]), answer[:, None], target) == pytest.approx(expected, nan_ok=True)


def test_percentages_are_symmetric_and_bounded() -> None:
    target, answer = np.array([10.0, 0.0, 0.0, -4.0, math.nan]), np.array([30.0, 0.0, 2.0, 4.0, 1.0])
    assert percent_off(answer, target) == pytest.approx([100, 0, 200, 200, math.nan], nan_ok=True)
    assert percent_off(target, answer) == pytest.approx([100, 0, 200, 200, math.nan], nan_ok=True)
