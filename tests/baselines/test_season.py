"""The period after which a series repeats itself best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines._season import season
from unrolled.data.examples.examples import Examples

Make = Callable[..., Examples]


def test_the_season_of_the_training_split(series: Make) -> None:
    wave = np.tile([0.0, 1.0, 5.0], 20) + np.arange(60) * 0.1
    assert season(series([np.stack([wave, np.zeros(60)], 1), np.array([[7.0, 7.0]])], 3)) == 3


@pytest.mark.parametrize("values", [np.zeros((1, 1)), np.ones((50, 2)), np.zeros((0, 1)), np.full((20, 1), np.nan)])
def test_short_flat_and_empty_series_have_none(series: Make, values: np.ndarray) -> None:
    assert season(series([values], 3)) == 1


def test_a_longest_period(series: Make) -> None:
    wave = series([np.tile(np.random.default_rng(0).normal(size=(24, 1)), (9, 1))], 6)
    assert season(wave) == 24 and season(wave, most=24) == 24 and season(wave, most=23) < 24
