"""The share of another model in a mixture: chosen on the validation data, and only where it surely helps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import grouped
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import Programs, added, programs, values
from unrolled.models.combined import mix
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import run_over
from unrolled.training.plans import evaluation_plan

__all__ = ["Mixed", "weigh"]

_SHARES = tuple(tenth / 10 for tenth in range(11))
_LEAST = 3  # groups of which a standard error can be taken


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mixture on the validation data.

    Attributes:
        measure: the metric that chooses the weights.
        share: the best share of the other model, in tenths.
        value, before, alone: the metric of the mixture, of the model without it, and of the other model.
        error: the standard error of the gain; 0 where there are too few groups to tell.
    """

    measure: str
    share: float
    value: float
    before: float
    alone: float
    error: float

    @property
    def gain(self) -> float:
        """How much lower the cost is than without the other model."""
        return cost(self.measure, self.before) - cost(self.measure, self.value)

    @property
    def helps(self) -> bool:
        """True if the gain is above its standard error, or if the other model alone is better."""
        better_alone = cost(self.measure, self.alone) < cost(self.measure, self.before)
        return self.share > 0 and self.gain > 0 and (self.gain > self.error or better_alone)

    def say(self) -> str:
        """The gain in words."""
        spread = f" ± {self.error:.2g}" if self.error else ""
        return f"{self.measure} {self.value:.4g} instead of {self.before:.4g}, gain {self.gain:.2g}{spread}"


def weigh(
    network: Model, other: Model, task: Task, part: Examples, config: TrainingConfig, device: str
) -> Mixed | None:
    """Mix two models in tenths on ``part``; ``None`` if their outputs cannot be mixed, or nothing is scored.

    Args:
        network, other: the models.
        task: how their outputs are mixed and judged.
        part: the validation split.
        config: gives the batch size and the options of the metrics.
        device: the device of both.

    Cost: that of running both on at most 100 000 steps of the split, and of judging eleven mixtures.
    """
    known, groups = programs(config.own), grouped(part).parts
    found = [_sums(network, other, task, group, config, device, known) for group in groups]
    if not found or any(one is None for one in found):
        return None
    by_share = [[one[at] for one in found if one is not None] for at in range(len(_SHARES))]
    scores = [values(_total(sums), known).get(task.chooses, math.nan) for sums in by_share]
    costs = [cost(task.chooses, value) if math.isfinite(value) else math.inf for value in scores]
    best = costs.index(min(costs))
    if not math.isfinite(costs[best]):
        return None
    error = 0.0
    if best and len(groups) >= _LEAST:
        draws = (redrawn(by_share[at], known) for at in (best, 0))
        error = standard_error(task.chooses, *draws)
    return Mixed(task.chooses, _SHARES[best], scores[best], scores[0], scores[-1], 0.0 if math.isnan(error) else error)


def _sums(
    network: Model, other: Model, task: Task, part: Examples, config: TrainingConfig, device: str, known: Programs
) -> list[Sums] | None:
    """The sums of the metrics for each share; ``None`` if the outputs are not plain numbers."""
    plan = evaluation_plan(part, task.batching, config, network.causal and other.causal)
    loader, totals = Loader(part, plan), [Sums() for _ in _SHARES]
    pairs = zip(run_over(network, loader, device), run_over(other, loader, device), strict=True)
    for (ours, batch), (theirs, _) in pairs:
        if not isinstance(ours, Tensor) or not isinstance(theirs, Tensor):
            return None
        for at, share in enumerate(_SHARES):
            outputs = mix(ours, theirs, torch.tensor(share, device=ours.device), task.mixing)
            totals[at] = added(totals[at], task.judge(outputs, batch), known)
    return totals


def _total(groups: list[Sums]) -> Sums:
    total = Sums()
    for group in groups:
        for name, value in group.items():
            total[name] = total[name] + value if name in total else value
    return total
