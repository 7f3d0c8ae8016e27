from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from forecasting import AIRLINE, after, ask

from unrolled.solved.ets import ExponentialSmoothing


def solved(values: Sequence[float], horizon: int, season: int) -> tuple[ExponentialSmoothing, np.ndarray]:
    task, train = ask({"y": [values]}, horizon, season)
    model = ExponentialSmoothing.solve(task, train, ExponentialSmoothing.Options(), 0)
    return model, np.array(after(task, model, train)["y_predicted"][0])


def test_airline_beside_statsforecast() -> None:
    """The last year, after AutoETS(season_length=12, model="MAM").fit(the years before).predict(12) of
    statsforecast 2.1.1, in an environment of its own. Its free choice, of a damped trend, is further from what came."""
    theirs = [412.44, 409.38, 473.82, 454.74, 454.9, 517.39, 574.0, 574.75, 500.41, 437.78, 382.55, 431.6]
    model, found = solved(AIRLINE[:132], 12, 12)
    assert model.relative.tolist() == [1] and float(model.weights[1]) > 0 and float(model.weights[2]) > 0
    assert found == pytest.approx(theirs, rel=0.02)
    right = np.array(AIRLINE[132:])
    assert np.abs(found - right).mean() < np.abs(theirs - right).mean()


def test_a_walk_beside_statsforecast() -> None:
    """AutoETS(season_length=1, model="AAN", damped=False).fit(y).predict(3) of statsforecast 2.1.1."""
    random = np.random.default_rng(1)
    y = np.cumsum(random.normal(size=120) * 0.3) + random.normal(size=120)
    _, found = solved(y.tolist(), 3, 1)
    assert found == pytest.approx([-2.568, -2.594, -2.620], abs=0.1)


def test_the_last_value_and_the_drift_are_special_cases() -> None:
    """A random walk is forecast by its last value; with a constant rise, by that and the rise."""
    walk = np.cumsum(np.random.default_rng(2).normal(size=500))
    _, found = solved(walk.tolist(), 3, 1)
    assert found == pytest.approx([walk[-1]] * 3, abs=0.15)
    rising = walk + 3 * np.arange(500)
    _, found = solved(rising.tolist(), 3, 1)
    assert found == pytest.approx(rising[-1] + 3 * np.arange(1, 4), abs=0.8)


def test_a_season_that_multiplies() -> None:
    t = np.arange(72)
    y = (100 + 2 * t) * (1 + 0.4 * np.sin(2 * np.pi * t / 12))
    model, found = solved(y.tolist(), 12, 12)
    ahead = np.arange(72, 84)
    right = (100 + 2 * ahead) * (1 + 0.4 * np.sin(2 * np.pi * ahead / 12))
    assert model.relative.tolist() == [1] and found == pytest.approx(right, rel=0.03)


def test_noise_has_no_season() -> None:
    noise = np.random.default_rng(3).normal(size=240)
    model, found = solved(noise.tolist(), 7, 7)
    assert float(model.weights[2]) == 0 and np.abs(found).max() < 0.4
