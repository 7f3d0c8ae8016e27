"""The last known value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.last_value import LastValue
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def walk(seed: int, length: int, width: int, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(length, width)).cumsum(0).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values


def test_the_last_value_answers_the_next_step(series: Make) -> None:
    rows = [walk(0, 9, 3), walk(1, 4, 3)]
    error = np.concatenate([np.diff(row, axis=0) for row in rows])
    found = scores(LastValue.fit(series(rows, 0)).judge(series(rows, 0)))
    assert found == pytest.approx({"mse_scaled": np.square(error).mean(), "mae_scaled": np.abs(error).mean()}, rel=1e-5)


def test_what_it_applies_to(series: Make, tokens: Make, texts: Make) -> None:
    keys, real = np.array([[0.0], [1.0], [1.0]]), np.array([[0.5], [1.0], [2.0]])
    hot, curve, ahead = series([keys], 0), series([real], 0), series([keys], 1)
    words, number = tokens([[0, 1]], 2), texts([[0]], 1, [0.5], 0)
    assert [LastValue.applies(examples) for examples in (hot, curve, ahead, words, number)] == [
        False,
        True,
        True,
        False,
        False,
    ]
