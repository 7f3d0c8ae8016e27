"""A task without data, and batches for it: each step is asked for the next symbol."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from configs import model_config
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.models.network import Network
from unrolled.tasks.task import Task, scored_steps

__all__ = ["NextSymbol", "batch_of", "network_of"]


class NextSymbol(Task):
    """The next symbol of each step, or the symbol of a row."""

    watch, mixing = "loss_nats_per_token", "softmax"

    def __init__(self, pooled: bool = False) -> None:
        self.pooled = pooled  # type: ignore[misc]

    def loss(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        losses, counts = self.each(outputs, batch)
        return losses.sum(), counts.sum()

    def each(self, outputs: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        if self.pooled:
            return F.cross_entropy(outputs, batch.target, reduction="none"), torch.ones_like(batch.lengths)
        mask = scored_steps(batch, outputs.shape[1])
        losses = F.cross_entropy(outputs.flatten(0, 1), batch.target.flatten(), reduction="none").view(mask.shape)
        return torch.where(mask, losses, 0.0), mask

    def answers(self, outputs: Any, batch: Batch) -> dict[str, list[Any]]:
        return {}


def network_of(name: str, *, symbols: int = 7, pooled: bool = False, hidden: int = 8, **options: Any) -> Network:
    torch.manual_seed(0)
    config = model_config(name=name, hidden=hidden, **options)
    return Network({"ids": Discrete(symbols)}, config, outputs=symbols, pooled=pooled)


def batch_of(steps: int, rows: int = 1, *, symbols: int = 7, pooled: bool = False) -> Batch:
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(symbols, (rows, steps + 1), generator=random)
    target = ids[:, -1] if pooled else ids[:, 1:]
    return Batch({"ids": ids[:, :-1]}, torch.full((rows,), steps), torch.arange(rows), target)
