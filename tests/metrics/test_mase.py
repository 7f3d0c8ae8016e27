from __future__ import annotations

import math

import torch

from unrolled.metrics.judged import Seasonal
from unrolled.metrics.scoring import scores


def test_only_channels_whose_repetition_misses_are_scaled_by_it() -> None:
    answer, right = torch.zeros(2, 1, 2), torch.tensor([[[1.0, 7.0]], [[math.nan, 7.0]]])
    assert scores([(Seasonal(answer, right, torch.tensor([4.0, math.nan])),)]) == {"mase": 0.25}
    assert scores([(Seasonal(answer, right, torch.full((2,), math.nan)),)]) == {}
