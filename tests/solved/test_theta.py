from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from forecasting import AIRLINE, after, ask

from unrolled.solved.theta import Theta


def solved(values: Sequence[float], horizon: int, season: int) -> tuple[Theta, np.ndarray]:
    task, train = ask({"y": [values]}, horizon, season)
    model = Theta.solve(task, train, Theta.Options(), 0)
    return model, np.array(after(task, model, train)["y_predicted"][0])


def test_airline_beside_statsforecast() -> None:
    """AutoTheta(season_length=12).forecast(the years before, 12) of statsforecast 2.1.1, for the last year."""
    theirs = [412.71, 404.64, 466.81, 449.6, 454.05, 517.86, 572.38, 571.37, 502.11, 438.53, 382.67, 432.12]
    model, found = solved(AIRLINE[:132], 12, 12)
    assert model.relative.tolist() == [1]
    assert found == pytest.approx(theirs, rel=0.06)
    right = np.array(AIRLINE[132:])
    assert np.abs(found - right).mean() < np.abs(theirs - right).mean()


def test_a_straight_line_goes_on() -> None:
    _, found = solved((7 + 0.5 * np.arange(80)).tolist(), 4, 1)
    assert found == pytest.approx(7 + 0.5 * np.arange(80, 84), abs=0.1)


def test_a_season_only_where_the_test_finds_one() -> None:
    noise = np.random.default_rng(3).normal(size=240)
    assert float(solved(noise.tolist(), 7, 7)[0].weights[2]) == 0
    season = noise + 3 * np.sin(2 * np.pi * np.arange(240) / 7)
    model, found = solved(season.tolist(), 7, 7)
    assert float(model.weights[2]) > 0
    assert found == pytest.approx(3 * np.sin(2 * np.pi * np.arange(240, 247) / 7), abs=0.5)
