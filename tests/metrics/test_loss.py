from __future__ import annotations

import torch

from unrolled.metrics.judged import Nats
from unrolled.metrics.scoring import scores


def nats(name: str, total: float, count: int) -> Nats:
    return Nats(name, torch.tensor(total), torch.tensor(count))


def test_a_loss_is_the_mean_under_its_own_name() -> None:
    parts = (nats("nll_nats_per_step", 3.0, 2), nats("nll_nats_per_step", 1.5, 1))
    assert scores((part,) for part in parts) == {"nll_nats_per_step": 1.5}


def test_several_losses_are_kept_apart() -> None:
    both = nats("loss_nats_per_step", 3.0, 1), nats("loss_nats_per_row", 3.0, 2)
    assert scores([both]) == {"loss_nats_per_step": 3.0, "loss_nats_per_row": 1.5}
