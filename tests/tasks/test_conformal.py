"""Intervals hold as many values as their name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled.tasks._conformal import interval_scale, miss


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_scaled_intervals_hold_their_share_of_new_values(share: float) -> None:
    """Intervals of ±1 around values that lie 3 deviations apart."""
    random = np.random.default_rng(0)
    old, new = (torch.from_numpy(random.normal(0, 3, 2000)) for _ in range(2))
    one = torch.ones(2000, dtype=torch.float64)
    scale = interval_scale(miss(-one, 0 * one, one, old), share)
    assert float((new.abs() <= scale).double().mean()) == pytest.approx(share, abs=0.03)


def test_too_few_values_change_nothing_and_wild_ones_little() -> None:
    assert interval_scale(torch.full((5,), 9.0), 0.8) == 1.0
    assert interval_scale(torch.full((50,), 1e9), 0.8) == 10.0
    assert interval_scale(torch.zeros(50), 0.8) == 0.2


@pytest.mark.parametrize("asked", [{"quantiles": (0.1, 0.9)}, {"distribution": "gaussian"}])
def test_a_forecast_s_intervals_hold_their_share_of_the_test_split(asked: dict[str, Any], tmp_path: Path) -> None:
    random, hours = np.random.default_rng(0), np.arange(600)
    table = {"hour": hours.tolist(), "load": (np.sin(hours / 4) + random.normal(0, 0.5, 600)).tolist()}
    options = {
        "order": "hour",
        "horizon": 4,
        "steps": 40,
        "hidden": 8,
        "plan": "fixed",
        "lr": 0.02,
        "valid": 0.25,
        "test": 0.25,
    }
    model = unrolled.fit(table, **options, **asked, out=tmp_path / "run")
    scale = model.task.coder.learned["interval_scale"]
    assert 0.2 <= scale <= 10
    assert model.metrics["valid"]["coverage"] == pytest.approx(0.8, abs=0.01)
    assert model.metrics["test"]["coverage"] == pytest.approx(0.8, abs=0.1)
    assert f"Set on the validation data: interval_scale {scale:.3g}." in model.findings.advice
    again = unrolled.load(tmp_path / "run")
    assert again.task.coder.learned == model.task.coder.learned
    assert again.predict(table).equals(model.predict(table))
