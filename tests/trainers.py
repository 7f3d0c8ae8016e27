"""Small trainers for the tests of what they do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from samples import SAMPLES, network_for, training
from torch import Tensor

from unrolled.batch import Batch
from unrolled.training.trainer import Trainer

__all__ = ["poison", "trainer", "weights"]


def trainer(
    folder: Path,
    sample: str = "classify",
    model: str = "gru",
    hooks: tuple[Any, ...] = (),
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> Trainer:
    task = SAMPLES[sample].ask()
    examples = SAMPLES[sample].examples(task)
    torch.manual_seed(0)
    network = network_for(task, model)
    return Trainer(network, task, examples, examples, training(options), folder, hooks, clock=clock)


def weights(one: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in one.network.state_dict().items()}


def poison(one: Trainer, when: Callable[[int], bool], value: float = math.nan) -> None:
    """The loss is ``value`` times itself at the steps where ``when`` says so."""
    loss = one.task.loss

    def poisoned(outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        total, count = loss(outputs, batch)
        training = torch.is_grad_enabled()
        return (total * value if training and when(one.progress.step) else total), count

    one.task.loss = poisoned  # type: ignore[method-assign]
