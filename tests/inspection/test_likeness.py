"""CKA of states that are alike, turned, or have nothing to do with each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unrolled.inspection.likeness import likeness


def test_what_is_turned_and_scaled_is_alike_and_what_is_independent_is_not() -> None:
    chance = np.random.default_rng(0)
    states, noise = chance.normal(size=(2_000, 5)), chance.normal(size=(2_000, 7))
    turn = np.linalg.qr(chance.normal(size=(5, 5)))[0]
    assert likeness(states, 3 * states @ turn + 4) == pytest.approx(1, abs=1e-9)
    assert likeness(states, noise) < 0.02
    half = np.concatenate([states, noise[:, :5]], 1)
    assert likeness(states, half) == pytest.approx(1 / math.sqrt(2), abs=0.05)
    assert math.isnan(likeness(states, np.ones((2_000, 3))))
