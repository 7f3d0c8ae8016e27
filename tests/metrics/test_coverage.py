from __future__ import annotations

import math

import pytest
import torch

from unrolled.metrics.judged import Intervals
from unrolled.metrics.scoring import scores


def test_the_ends_of_an_interval_lie_in_it() -> None:
    low, high, right = (torch.tensor(part) for part in ([0.0] * 5, [1.0] * 5, [0.0, 1.0, 0.5, 1.1, math.nan]))
    assert scores([(Intervals(low, high, right, 0.8),)]) == {"coverage": 0.75, "coverage_nominal": pytest.approx(0.8)}
