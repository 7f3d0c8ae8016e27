"""Windows in chunks against plain loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines import forecasts
from unrolled.baselines.last_value import LastValue
from unrolled.baselines.seasonal_naive import SeasonalNaive
from unrolled.data.examples import Examples

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
    return {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("chunk", [1 << 21, 20])
def test_naive_forecasts_equal_plain_loops(
    series: Make, missing: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasts, "_CHUNK", chunk)
    rows, first = [walk(0, 30, 2, missing), walk(1, 3, 2, missing), walk(2, 17, 2, missing)], [0, 0, 6]
    part, otherwise = series(rows, 4, first), np.array([0.5, -0.5], np.float32)
    assert LastValue(otherwise).score(part) == pytest.approx(plain(rows, first, 4, 1, otherwise))
    assert SeasonalNaive(7, otherwise).score(part) == pytest.approx(plain(rows, first, 4, 7, otherwise))
    assert SeasonalNaive(3, otherwise).score(part) == pytest.approx(plain(rows, first, 4, 3, otherwise))
