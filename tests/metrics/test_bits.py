from __future__ import annotations

import math

import pytest
import torch

from unrolled.metrics.judged import CodeLength
from unrolled.metrics.scoring import scores


@pytest.mark.parametrize("per", ["token", "character"])
def test_bits_are_nats_over_the_logarithm_of_two(per: str) -> None:
    length = CodeLength(torch.tensor(2 * 1.4697, dtype=torch.float64), torch.tensor(2), per)
    assert scores([(length,)]) == {f"bits_per_{per}": pytest.approx(1.4697 / math.log(2))}
