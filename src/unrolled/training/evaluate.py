"""Evaluate a network on a split without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.shares import Share, stand_in
from unrolled.data.examples.examples import Examples
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import added, programs, summed, values
from unrolled.models.model import Model
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.tasks.task import Task
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import evaluation_plan
from unrolled.training.sharded import Sharded
from unrolled.training.together import ALONE, Together

__all__ = ["evaluate", "outputs_over", "run_over", "sums_over"]

Watch = Callable[[Any, Batch], None]


def run_over(
    network: Model, loader: Loader, device: str, sharded: Sharded | None = None
) -> Iterator[tuple[Any, Batch]]:
    """Yield (outputs, batch) for every batch that has a row, without dropout and without gradients.

    If a row is read on both strands of DNA or RNA, its outputs are the mean over both. With ``sharded`` weights each
    rank passes through the network for all batches.
    """

    def computed(loader: Loader, carry: TruncatedBPTT, index: int) -> tuple[Any, Batch]:
        outputs, batch = carry.run(loader, index, device)
        if loader.examples.strands is not None:
            turned = loader.examples.strands.turn(batch.inputs, batch.lengths)
            outputs = (outputs + network.run(replace(batch, inputs=turned))[0]) / 2
        return outputs, batch

    training, began = network.training, any(module.training for module in network.modules())
    if began:  # setting each module takes longer than a small batch
        network.eval()
    carry = TruncatedBPTT(network)
    try:
        for index in range(len(loader)):
            idle = isinstance(loader.plan, Share) and not len(loader.plan[index].rows)
            if idle and sharded is None:
                continue
            own = (stand_in(loader), TruncatedBPTT(network)) if idle else (loader, carry)
            with torch.no_grad():
                work = partial(computed, *own, index)
                found = work() if sharded is None else sharded.through(work)
            if not idle:
                yield found
    finally:
        if sharded is not None:
            sharded.reshard()
        if began:
            network.train(training)


def outputs_over(
    network: Model,
    task: Task,
    examples: Examples,
    config: TrainingConfig,
    device: str = "cpu",
    together: Together = ALONE,
    sharded: Sharded | None = None,
) -> Iterator[tuple[Any, Batch]]:
    """The outputs for each batch of ``examples``, or for this rank's share of it, and the batch.

    Args:
        network, task, examples, config, device, together, sharded: as for `evaluate`.
    """
    plan = evaluation_plan(examples, task.batching, config, network.causal)
    share = plan if together.alone else Share(plan, together.rank, together.ranks)
    return run_over(network, Loader(examples, share), device, sharded)


def evaluate(
    network: Model,
    task: Task,
    examples: Examples,
    config: TrainingConfig,
    device: str = "cpu",
    together: Together = ALONE,
    sharded: Sharded | None = None,
) -> dict[str, float]:
    """The task's metrics on ``examples``; empty if there is nothing to score.

    Args:
        network: the network to evaluate; its weights do not change.
        task: the task that the network was trained for.
        examples: the split.
        config: gives the batch size and the windows of long sequences.
        device: the device of the network.
        together: the ranks that share the rows; each gets the metrics of all rows.
        sharded: the weights of the network, if they are sharded over the ranks.
    """
    sums = sums_over(network, task, examples, config, device, together=together, sharded=sharded)
    return values(sums, config.own)


def sums_over(
    network: Model,
    task: Task,
    examples: Examples,
    config: TrainingConfig,
    device: str = "cpu",
    watch: Watch | None = None,
    together: Together = ALONE,
    sharded: Sharded | None = None,
) -> Sums:
    """The sums of the metrics on ``examples``, which can be added to those of other parts of a split.

    Args:
        network, task, examples, config, device, together, sharded: as for `evaluate`.
        watch: is called with the outputs for each batch, and the batch.
    """
    total, own = Sums(), programs(config.own)
    for outputs, batch in outputs_over(network, task, examples, config, device, together, sharded):
        total = added(total, task.judge(outputs, batch), own)
        if watch is not None:
            watch(outputs, batch)
    if together.alone:
        return total
    numbered = {f"{place:06d} {name}": value for place, (name, value) in enumerate(total.items())}
    return summed(_in_order(load_tensors(part)) for part in together.stack(save_tensors(numbered)))


def _in_order(numbered: Sums) -> Sums:
    """A file of tensors does not keep the order of its names, and metrics are shown in that of their sums."""
    return {name.partition(" ")[2]: numbered[name] for name in sorted(numbered)}
