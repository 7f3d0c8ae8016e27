"""The period that is found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.last_value import LastValue
from unrolled.baselines.mean import Mean
from unrolled.baselines.seasonal_naive import SeasonalNaive
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def walk(seed: int, length: int, width: int, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(length, width)).cumsum(0).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values


@pytest.mark.parametrize("period", [7, 24, 31])
def test_the_period_is_found(series: Make, period: int) -> None:
    shape = np.random.default_rng(period).normal(size=(period, 2))
    noise = np.random.default_rng(0).normal(size=(600, 2)) * 0.2
    values = np.tile(shape, (600 // period + 1, 1))[:600] + noise
    assert SeasonalNaive.fit(series([values[:500]], 10)).period % period == 0


def test_without_a_season_it_is_the_last_value(series: Make) -> None:
    train, part = series([walk(0, 900, 1)], 6), series([walk(1, 100, 1)], 6)
    assert SeasonalNaive.fit(train).period == 1
    assert scores(SeasonalNaive.fit(train).judge(part)) == scores(LastValue.fit(train).judge(part))


def test_short_flat_and_empty_series(series: Make) -> None:
    for values in (np.zeros((1, 1)), np.ones((50, 2)), np.zeros((0, 1)), np.full((20, 1), np.nan)):
        train = series([values], 3)
        assert SeasonalNaive.fit(train).period == 1
        for member in (Mean, LastValue, SeasonalNaive):
            found = scores(member.fit(train).judge(train))
            assert found.get("mse_scaled", 0) == 0


# Quick because nothing loops over windows; a loop would run into the suite's timeout.
def test_all_windows_of_a_long_series(series: Make) -> None:
    train = series([walk(0, 17_000, 7)], 96)
    for member in (Mean, LastValue, SeasonalNaive):
        assert scores(member.fit(train).judge(train))["mse_scaled"] > 0


def test_what_it_applies_to(series: Make, tokens: Make, texts: Make) -> None:
    keys, real = np.array([[0.0], [1.0], [1.0]]), np.array([[0.5], [1.0], [2.0]])
    hot, curve, ahead = series([keys], 0), series([real], 0), series([keys], 1)
    words, number = tokens([[0, 1]], 2), texts([[0]], 1, [0.5], 0)
    assert [SeasonalNaive.applies(examples) for examples in (hot, curve, ahead, words, number)] == [
        False,
        False,
        True,
        False,
        False,
    ]
