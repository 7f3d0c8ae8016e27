"""Evaluate a network on a split without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import added, programs, values
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import evaluation_plan

__all__ = ["evaluate", "outputs_over", "run_over", "sums_over"]

Watch = Callable[[Any, Batch], None]


def run_over(network: Model, loader: Loader, device: str) -> Iterator[tuple[Any, Batch]]:
    """Yield (outputs, batch) for every batch, without dropout and without gradients.

    If a row is read on both strands of DNA or RNA, its outputs are the mean over both.
    """
    training, began = network.training, any(module.training for module in network.modules())
    if began:  # setting each module takes longer than a small batch
        network.eval()
    carry = TruncatedBPTT(network)
    try:
        for index in range(len(loader)):
            with torch.no_grad():
                outputs, batch = carry.run(loader, index, device)
                if loader.examples.strands is not None:
                    turned = loader.examples.strands.turn(batch.inputs, batch.lengths)
                    outputs = (outputs + network.run(replace(batch, inputs=turned))[0]) / 2
            yield outputs, batch
    finally:
        if began:
            network.train(training)


def outputs_over(
    network: Model, task: Task, examples: Examples, config: TrainingConfig, device: str = "cpu"
) -> Iterator[tuple[Any, Batch]]:
    """The outputs for each batch of ``examples``, and the batch.

    Args:
        network, task, examples, config, device: as for `evaluate`.
    """
    loader = Loader(examples, evaluation_plan(examples, task.batching, config, network.causal))
    return run_over(network, loader, device)


def evaluate(
    network: Model, task: Task, examples: Examples, config: TrainingConfig, device: str = "cpu"
) -> dict[str, float]:
    """The task's metrics on ``examples``; empty if there is nothing to score.

    Args:
        network: the network to evaluate; its weights do not change.
        task: the task that the network was trained for.
        examples: the split.
        config: gives the batch size and the windows of long sequences.
        device: the device of the network.
    """
    return values(sums_over(network, task, examples, config, device), config.own)


def sums_over(
    network: Model,
    task: Task,
    examples: Examples,
    config: TrainingConfig,
    device: str = "cpu",
    watch: Watch | None = None,
) -> Sums:
    """The sums of the metrics on ``examples``, which can be added to those of other parts of a split.

    Args:
        network, task, examples, config, device: as for `evaluate`.
        watch: is called with the outputs for each batch, and the batch.
    """
    total, own = Sums(), programs(config.own)
    for outputs, batch in outputs_over(network, task, examples, config, device):
        total = added(total, task.judge(outputs, batch), own)
        if watch is not None:
            watch(outputs, batch)
    return total
