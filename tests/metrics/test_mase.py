from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import unrolled
from unrolled.metrics.judged import Seasonal
from unrolled.metrics.scoring import scores


def test_only_channels_whose_repetition_misses_are_scaled_by_it() -> None:
    answer, right, one = torch.zeros(2, 1, 2), torch.tensor([[[1.0, 7.0]], [[math.nan, 7.0]]]), torch.zeros(2).long()
    assert scores([(Seasonal(answer, right, one, torch.tensor([[4.0, math.nan]])),)]) == {"mase": 0.25}
    assert scores([(Seasonal(answer, right, one, torch.full((1, 2), math.nan)),)]) == {}


def test_the_published_measure_of_two_series_of_different_size() -> None:
    """utilsforecast gives 43.6 and 1.15, in the mean 22.4, for errors of 5.014 and 37.375 beside 0.115 and 32.5."""
    right = torch.tensor([0.0, 0.0, 1000.0]).view(3, 1, 1)
    answer = torch.tensor([5.014, -5.014, 1000.0 + 37.375]).view(3, 1, 1)
    found = scores([(Seasonal(answer, right, torch.tensor([0, 0, 1]), torch.tensor([[0.115], [32.5]])),)])
    assert found["mase"] == pytest.approx((43.6 + 1.15) / 2)


def by_hand(values: np.ndarray, first: int, horizon: int, season: int) -> float:
    """The MASE of repeating the last value, of every window from ``first`` on."""
    past = np.mean([abs(values[t] - values[t - season]) for t in range(season, first)])
    windows = range(first, len(values) - horizon + 1)
    return float(np.mean([abs(values[s + h] - values[s - 1]) for s in windows for h in range(horizon)]) / past)


def test_each_series_is_scaled_by_its_own_past(tmp_path: Path) -> None:
    random, month = np.random.default_rng(0), np.arange(120)
    season = 10 * np.sin(2 * np.pi * month / 12)
    series = {"small": season + random.normal(0, 0.1, 120), "large": 100 * season + random.normal(0, 30, 120)}
    table = {
        "series": [name for name in series for _ in month],
        "month": [int(t) for _ in series for t in month],
        "sales": [float(value) for values in series.values() for value in values],
    }
    model = unrolled.fit(table, by="series", order="month", horizon=6, test=0.25, steps=2, out=tmp_path / "run")
    assert model.task.coder.season == 12
    wanted = np.mean([by_hand(values, 90, 6, 12) for values in series.values()])
    assert model.baselines["test"]["last value"]["mase"] == pytest.approx(wanted, rel=1e-4)
    assert model.baselines["test"]["last value"]["mae"] > 10  # in units of the sales, as the model's
    assert unrolled.load(tmp_path / "run").task.coder.season == 12
