"""The share of another model in a mixture: chosen on the validation data, and only where it surely helps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import grouped
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import Programs, added, programs, summed, values
from unrolled.models._mixing import Outputs
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import run_over
from unrolled.training.plans import evaluation_plan

__all__ = ["Mixed", "surely_better", "weigh"]

_SHARES = tuple(tenth / 10 for tenth in range(11))
_SURE = 2.0  # standard errors: one gain in forty is as large by chance, and several models are tried
_LEAST = 3  # groups of which a standard error can be taken
_STEPS, _FEWEST, _SCORES = 100_000, 1_000, 1 << 26  # of the split; with many outputs fewer, but not fewer than these


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mixture on the validation data.

    Attributes:
        measure: the metric that chooses the weights.
        share: the best share of the other model, in tenths.
        value, before, alone: the metric of the mixture, of the model without it, and of the other model.
        helps: the mixture is at least as good as both, and surely better than the model in the metric or in its loss.
        error: the standard error of the gain in the metric; 0 where there are too few groups to tell.
    """

    measure: str
    share: float
    value: float
    before: float
    alone: float
    helps: bool
    error: float

    def say(self) -> str:
        """The gain in words."""
        spread = f" ± {self.error:.2g}" if self.error else ""
        return f"{self.measure} {self.value:.4g}{spread}, {self.before:.4g} without it"


def weigh(
    network: Model, other: Model, task: Task, part: Examples, config: TrainingConfig, device: str
) -> Mixed | None:
    """Mix two models in tenths on ``part``; ``None`` if their outputs cannot be mixed, or nothing is scored.

    A metric of labels, such as F1, has few values on little data. So of the shares at which it is at least as good as
    for both models, the one with the lowest loss is taken; if there are none, the one with the best metric.

    Args:
        network, other: the models.
        task: how their outputs are mixed and judged.
        part: the validation split.
        config: gives the batch size and the options of the metrics.
        device: the device of both.

    Cost: that of running both on at most 100 000 steps of the split, and of judging eleven mixtures. Of models with
    very many outputs, such as items, fewer steps are read: 2 800 for 24 000 items.
    """
    steps = min(_STEPS, max(_FEWEST, _SCORES // task.outputs))
    known, groups = programs(config.own), grouped(part, steps=steps).parts
    found = [_sums(network, other, task, group, config, device, known) for group in groups]
    by_group = [one for one in found if one is not None]
    if not by_group or len(by_group) < len(found):
        return None
    shares = [[one[at] for one in by_group] for at in range(len(_SHARES))]
    scores = [values(summed(sums), known) for sums in shares]
    costs = [_cost(task.chooses, row) for row in scores]
    losses = [_cost(task.watch, row) for row in scores]
    both = min(costs[0], costs[-1])
    good = [at for at, value in enumerate(costs) if value <= both]
    best = min(good, key=lambda at: (losses[at], at)) if good else costs.index(min(costs))
    if not math.isfinite(costs[best]):
        return None
    errors = {name: _error(name, shares[best], shares[0], known) for name in (task.chooses, task.watch)}
    gains = {task.chooses: costs[0] - costs[best], task.watch: losses[0] - losses[best]}
    surely = any(gain > _SURE * errors[name] for name, gain in gains.items())
    helps = best > 0 and costs[best] <= both and (surely or costs[-1] < costs[0])
    metric = [row.get(task.chooses, math.nan) for row in scores]
    return Mixed(task.chooses, _SHARES[best], metric[best], metric[0], metric[-1], helps, errors[task.chooses])


def surely_better(
    network: Model, other: Model, task: Task, part: Examples, config: TrainingConfig, device: str
) -> bool:
    """Whether ``network`` is better than ``other`` on ``part`` by more than a standard error.

    Args:
        network, other, task, part, config, device: as for `weigh`.
    """
    known = programs(config.own)
    found = [_sums(network, other, task, group, config, device, known, (0.0, 1.0)) for group in grouped(part).parts]
    pairs = [one for one in found if one is not None]
    if len(pairs) < _LEAST:
        return False
    ours, theirs = [one[0] for one in pairs], [one[1] for one in pairs]
    costs = [_cost(task.chooses, values(summed(sums), known)) for sums in (ours, theirs)]
    return costs[1] - costs[0] > _error(task.chooses, ours, theirs, known)


def _cost(name: str, row: dict[str, float]) -> float:
    value = cost(name, row.get(name, math.nan))
    return value if math.isfinite(value) else math.inf


def _error(name: str, ours: list[Sums], theirs: list[Sums], known: Programs) -> float:
    """The standard error of the difference; 0 where there are too few groups to tell."""
    if len(ours) < _LEAST:
        return 0.0
    error = standard_error(name, redrawn(ours, known), redrawn(theirs, known))
    return 0.0 if math.isnan(error) else error


def _sums(
    network: Model,
    other: Model,
    task: Task,
    part: Examples,
    config: TrainingConfig,
    device: str,
    known: Programs,
    shares: tuple[float, ...] = _SHARES,
) -> list[Sums] | None:
    """The sums of the metrics for each share; ``None`` if the outputs are not plain numbers."""
    plan = evaluation_plan(part, task.batching, config, network.causal and other.causal)
    loader, totals = Loader(part, plan), [Sums() for _ in shares]
    pairs = zip(run_over(network, loader, device), run_over(other, loader, device), strict=True)
    for (ours, batch), (theirs, _) in pairs:
        if not isinstance(ours, Outputs) or not isinstance(theirs, Outputs):
            return None
        for at, judged in enumerate(task.judge_mixtures(ours, theirs, shares, batch)):
            totals[at] = added(totals[at], judged, known)
    return totals
