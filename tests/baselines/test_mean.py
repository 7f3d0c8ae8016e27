"""The mean of training."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.mean import Mean
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def walk(seed: int, length: int, width: int, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(length, width)).cumsum(0).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values


def test_the_mean_of_training_answers_windows_steps_and_rows(series: Make, texts: Make) -> None:
    values = walk(0, 40, 2, 0.2)
    train = series([values], 5)
    np.testing.assert_allclose(Mean.fit(train).values, np.nanmean(values, 0), rtol=1e-5)
    part = walk(1, 12, 2)
    windows = np.stack([part[stop : stop + 5] for stop in range(1, 8)]) - np.nanmean(values, 0)
    assert scores(Mean.fit(train).judge(series([part], 5)))["mse_scaled"] == pytest.approx(
        np.square(windows).mean(), rel=1e-5
    )
    steps = part[1:] - np.nanmean(values, 0)
    assert scores(Mean.fit(series([values], 0)).judge(series([part], 0)))["mae_scaled"] == pytest.approx(
        np.abs(steps).mean(), rel=1e-5
    )
    rows = texts([[0]] * 3, 1, [1.0, 3.0, math.nan], 0)
    assert scores(Mean.fit(rows).judge(texts([[0]] * 3, 1, [2.0, 4.0, math.nan], 0))) == {
        "mse_scaled": 2.0,
        "mse": 2.0,
        "mae": 1.0,
        "r2": -1.0,
    }


def test_what_it_applies_to(series: Make, tokens: Make, texts: Make) -> None:
    keys, real = np.array([[0.0], [1.0], [1.0]]), np.array([[0.5], [1.0], [2.0]])
    hot, curve, ahead = series([keys], 0), series([real], 0), series([keys], 1)
    words, number = tokens([[0, 1]], 2), texts([[0]], 1, [0.5], 0)
    assert [Mean.applies(examples) for examples in (hot, curve, ahead, words, number)] == [
        False,
        True,
        True,
        False,
        True,
    ]
