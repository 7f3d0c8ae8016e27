"""Windows in chunks against plain loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unrolled.baselines import _forecasts as forecasts
from unrolled.baselines.last_value import LastValue
from unrolled.baselines.seasonal_naive import SeasonalNaive, season
from unrolled.data.examples.examples import Examples, Units
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def walk(seed: int, length: int, width: int, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(length, width)).cumsum(0).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values


def plain(
    rows: list[np.ndarray], first: list[int], horizon: int, period: int, otherwise: np.ndarray
) -> dict[str, float]:
    """Every window, step and channel of a seasonal naive forecast, one after the other."""
    errors = []
    for row, border in zip(rows, first, strict=True):
        for stop in range(max(1, border), len(row) - horizon + 1):
            for h, channel in np.ndindex(horizon, row.shape[1]):
                at = stop + h % period - period
                at = at if at >= 0 else stop - 1
                while at >= 0 and np.isnan(row[at, channel]):
                    at -= 1
                known = row[at, channel] if at >= 0 else otherwise[channel]
                errors.append(known - row[stop + h, channel])
    error = np.array(errors, np.float64)
    error = error[~np.isnan(error)]
    return {"mse_scaled": float(np.square(error).mean()), "mae_scaled": float(np.abs(error).mean())}


def test_where_the_units_are_known_there_are_more_scores(series: Make) -> None:
    rows, units = [walk(3, 20, 2)], Units(np.array([5.0, -1.0]), np.array([2.0, 3.0]))
    part = replace(series(rows, 2), units=units, naive=np.array([[0.5, np.nan]]))
    found = scores(LastValue(np.zeros(2, np.float32)).judge(part))
    percent, ratio = [], []
    for stop in range(1, 19):
        for h, c in np.ndindex(2, 2):
            answer, y = (float(rows[0][t, c]) * units.std[c] + units.mean[c] for t in (stop - 1, stop + h))
            percent.append(200 * abs(answer - y) / (abs(answer) + abs(y)))
            if c == 0:
                ratio.append(abs(float(rows[0][stop - 1, 0]) - float(rows[0][stop + h, 0])) / 0.5)
    assert found["smape_percent"] == pytest.approx(np.mean(percent))
    assert found["mase"] == pytest.approx(np.mean(ratio))


def test_the_season_of_the_training_split(series: Make) -> None:
    wave = np.tile([0.0, 1.0, 5.0], 20) + np.arange(60) * 0.1
    assert season(series([np.stack([wave, np.zeros(60)], 1), np.array([[7.0, 7.0]])], 3)) == 3


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("chunk", [1 << 21, 20])
def test_naive_forecasts_equal_plain_loops(
    series: Make, missing: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasts, "_CHUNK", chunk)
    rows, first = [walk(0, 30, 2, missing), walk(1, 3, 2, missing), walk(2, 17, 2, missing)], [0, 0, 6]
    part, otherwise = series(rows, 4, first), np.array([0.5, -0.5], np.float32)
    for baseline, period in (
        (LastValue(otherwise), 1),
        (SeasonalNaive(7, otherwise), 7),
        (SeasonalNaive(3, otherwise), 3),
    ):
        found, expected = scores(baseline.judge(part)), plain(rows, first, 4, period, otherwise)
        assert {name: found[name] for name in expected} == pytest.approx(expected)
