from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from unrolled.metrics.judged import Quantiles
from unrolled.metrics.scoring import scores


def test_it_is_the_mean_over_quantiles() -> None:
    random = np.random.default_rng(0)
    levels, right = (0.1, 0.5, 0.9), random.normal(size=200)
    found = np.sort(random.normal(size=(200, 3)), 1)
    worth = np.mean([mean_pinball_loss(right, found[:, k], alpha=level) for k, level in enumerate(levels)])
    assert scores([(Quantiles(levels, torch.tensor(found), torch.tensor(right)),)]) == {
        "pinball_scaled": pytest.approx(worth),
        "crps_scaled": pytest.approx(2 * worth),
    }
