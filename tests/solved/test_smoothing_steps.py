"""Exponential smoothing in NumPy beside the textbook's equations, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.solved._smoothing import Smoother, after, ahead, begin
from unrolled.solved._smoothing_errors import Lanes, squares

WEIGHTS = {
    "alpha": np.array([0.3, 0.6, 0.2, 0.5]),
    "beta": np.array([0.0, 0.1, 0.05, 0.0]),
    "gamma": np.array([0.2, 0.0, 0.1, 0.3]),
    "phi": np.array([1.0, 0.9, 0.95, 1.0]),
    "drift": np.array([0.0, 0.0, 0.0, 0.5]),
    "relative": np.array([False, False, True, True]),
}
EARLY = np.random.default_rng(0).uniform(0, 0.5, (4, 3, 5))  # three early steps, a season of three
ROWS = [[1.0, 2.0, 1.5, 1.1, 2.2, 1.4], [0.5, None, 0.9, 0.4], [None, 1.0, 1.2, None, 1.3]]


def smoother(dtype: torch.dtype) -> Smoother:
    parts = {name: torch.tensor(of, dtype=torch.bool if name == "relative" else dtype) for name, of in WEIGHTS.items()}
    return Smoother(**parts, early=torch.tensor(EARLY, dtype=dtype))


def textbook(lane: int, row: list[float | None], early: np.ndarray = EARLY) -> tuple[list[float], list[float]]:
    """The errors, and the next two forecasts."""
    alpha, beta, gamma, phi, drift, relative = (float(of[lane]) for of in WEIGHTS.values())
    level, trend, season, seen, errors = 0.0, 0.0, [0.0] * 3, list[tuple[int, float]](), list[float]()
    t = 0

    def slope() -> float:
        if not seen:
            return 0.0
        times, values = (np.array(part) for part in zip(*seen, strict=True))
        late = times - times.mean()
        return float(late @ (values - values.mean()) / (late @ late + 10))

    for value in row:
        step = phi * trend + drift * slope()
        level += math.log1p(max(step, -0.95)) if relative else step
        trend = phi * trend / max(1 + step, 0.05) if relative else phi * trend
        error = 0.0 if value is None else value - level - season[t % 3]
        more = early[lane, t] if t < 3 else np.zeros(5)
        level, trend = level + (alpha + more[0]) * error, trend + (beta + more[1]) * error
        season[t % 3] += gamma * error
        season = [part + change * error for part, change in zip(season, more[2:], strict=True)]
        if value is not None:
            seen.append((t, value - season[t % 3]))
        errors.append(error)
        t += value is not None or t > 0
    found, way = [], 0.0
    for h in (1, 2):
        way += phi**h * trend + drift * slope()
        found.append(level + (math.log1p(max(way, -0.95)) if relative else way) + season[(t + h - 1) % 3])
    return errors, found


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_of_many_lengths_with_gaps(dtype: torch.dtype) -> None:
    weights, lengths = smoother(dtype), torch.tensor([len(row) for row in ROWS])
    values = torch.full((3, 6, 4), math.nan, dtype=dtype)
    for place, row in enumerate(ROWS):
        values[place, : len(row)] = torch.tensor([math.nan if v is None else v for v in row], dtype=dtype)[:, None]
    known = ~values.isnan()
    whole = after(weights, begin(weights, 3, line=True), values, known, lengths)
    right = np.array([[textbook(lane, row)[1] for lane in range(4)] for row in ROWS])
    assert ahead(weights, whole, 2).numpy() == pytest.approx(right.transpose(0, 2, 1), abs=1e-5)
    # In two pieces, of which a row may have no step.
    first = after(weights, begin(weights, 3, line=True), values[:, :4], known[:, :4], lengths.clamp(max=4))
    both = after(weights, first, values[:, 4:], known[:, 4:], (lengths - 4).clamp(min=0))
    assert all(torch.equal(a, b) for a, b in zip(whole, both, strict=True))


def test_the_errors_of_many_lanes() -> None:
    """A series that begins with a known value, and lanes with and without a season; nothing is unknown of the first state."""
    values = np.full((2, 2, 6), np.nan)
    values[0, 0], values[1, 0, :4] = ROWS[0], [0.5, np.nan, 0.9, 0.4]
    weights = {**WEIGHTS, "season": WEIGHTS["gamma"] > 0}
    basis = np.stack([np.eye(5)[:, [0, 1, 2]]] * 4)
    lanes = Lanes(weights, basis, np.zeros((4, 3)), np.array([0, 1, 1, 0]))
    found, variance = squares(lanes, values, 2)
    for lane, row in enumerate([ROWS[0], ROWS[1], ROWS[1], ROWS[0]]):
        errors, _ = textbook(lane, row, np.zeros_like(EARLY))
        assert found[lane] == pytest.approx(sum(error**2 for error in errors[1:]))
    assert (variance == 1).all()


def test_an_unknown_level_is_the_first_value() -> None:
    """Of a first level of which nothing is known, the first value takes all; then what is unknown is nearly nothing."""
    weights = {name: of[:1] for name, of in {**WEIGHTS, "season": np.array([False] * 4)}.items()}
    weights["gamma"] = np.zeros(1)
    lanes = Lanes(weights, np.eye(5)[None, :, :2], np.array([[1e6, 0.0]]), np.array([0]))
    found, variance = squares(lanes, np.array([[[4.0, 4.0, 5.0]]]), 3)
    assert variance[0] == pytest.approx([1e6 + 1, 1 + 0.7**2, 1 + 0.7**4 / (1 + 0.7**2)], rel=1e-5)
    assert found[0] == pytest.approx(1 / variance[0, 2], rel=1e-4)
