"""Losses in nats, and the bits that they are."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.metrics.judged import CodeLength, Nats
from unrolled.metrics.scoring import scores


def test_a_loss_is_the_mean_under_its_own_name() -> None:
    losses = [
        (Nats("nll_nats_per_step", torch.tensor(total), torch.tensor(count)),) for total, count in ((3.0, 2), (1.5, 1))
    ]
    assert scores(losses) == {"nll_nats_per_step": 1.5}


def test_several_losses_are_kept_apart() -> None:
    one, two = (
        Nats(f"loss_nats_per_{per}", torch.tensor(3.0), torch.tensor(n)) for per, n in (("step", 1), ("row", 2))
    )
    assert scores([(one, two)]) == {"loss_nats_per_step": 3.0, "loss_nats_per_row": 1.5}


@pytest.mark.parametrize("per", ["token", "character"])
def test_bits_are_nats_over_the_logarithm_of_two(per: str) -> None:
    length = CodeLength(torch.tensor(2 * 1.4697, dtype=torch.float64), torch.tensor(2), per)
    assert scores([(length,)]) == {f"bits_per_{per}": pytest.approx(1.4697 / math.log(2))}
