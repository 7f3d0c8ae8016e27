"""What baselines' chances of several channels cost, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from unrolled.baselines._judged import judged_channels, judged_sets
from unrolled.metrics.scoring import scores


def nats(probabilities: np.ndarray, target: np.ndarray) -> float:
    return scores([judged_channels(probabilities, target)])["nll_nats_per_step"]


def test_binary_cross_entropy_is_summed_over_channels() -> None:
    random = np.random.default_rng(0)
    target, p = (random.random((50, 4)) < 0.5).astype(np.float32), random.uniform(0.05, 0.95, (50, 4))
    wanted = sum(log_loss(target[:, k], p[:, k], labels=[0, 1]) for k in range(4))
    assert nats(p, target) == pytest.approx(wanted)
    assert scores([judged_sets(p, target > 0)])["loss_nats_per_row"] == pytest.approx(wanted)


def test_what_is_missing_is_left_out() -> None:
    target = np.array([[1, np.nan], [np.nan, np.nan], [0, 0]], np.float32)
    assert nats(np.full((3, 2), 0.25), target) == pytest.approx((math.log(4) - 2 * math.log(0.75)) / 2)
    assert scores([judged_channels(np.full((1, 2), 0.5), np.full((1, 2), np.nan))]) == {}


def test_a_certain_answer_costs_nothing_or_everything() -> None:
    assert nats(np.zeros((1, 1)), np.ones((1, 1))) == math.inf
    assert nats(np.zeros((1, 1)), np.zeros((1, 1))) == 0
