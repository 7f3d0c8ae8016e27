"""The share of another model in a mixture: chosen on the validation data, and only where it surely helps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import grouped
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import Programs, added, reporting, summed, values
from unrolled.models._mixing import Outputs
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import run_over
from unrolled.training.plans import evaluation_plan

__all__ = ["Mixed", "Reference", "surely_better", "weigh"]

_SHARES = tuple(tenth / 10 for tenth in range(11))
_SURE = 2.0  # standard errors: one gain in forty is as large by chance, and several models are tried
_KEPT = 20_000_000  # numbers
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


class Reference:
    """The outputs of a model on the groups of a split, which several others are compared with.

    They are computed once and kept, if they are at most 20 million numbers (80 MB).

    Args:
        network, task: the model.
        part: the validation split.
        config: gives the batch size and the options of the metrics.
        device: the device of the model.
    """

    def __init__(self, network: Model, task: Task, part: Examples, config: TrainingConfig, device: str) -> None:
        self.network, self.task, self.config, self.device = network, task, config, device
        steps = min(_STEPS, max(_FEWEST, _SCORES // task.outputs))
        self.groups = grouped(part, steps=steps).parts
        self._kept: dict[tuple[int, bool], list[tuple[Any, Batch]]] = {}
        self._room = _KEPT

    def beside(self, group: int, other: Model) -> Iterator[tuple[Any, Any, Batch]]:
        """The outputs of both models for each batch of a group, and the batch."""
        causal = self.network.causal and other.causal
        plan = evaluation_plan(self.groups[group], self.task.batching, self.config, causal)
        loader = Loader(self.groups[group], plan)
        pairs = zip(self._own(group, causal, loader), run_over(other, loader, self.device), strict=True)
        return ((ours, theirs, batch) for (ours, batch), (theirs, _) in pairs)

    def _own(self, group: int, causal: bool, loader: Loader) -> Iterator[tuple[Any, Batch]]:
        if (group, causal) in self._kept:
            yield from self._kept[group, causal]
            return
        found: list[tuple[Any, Batch]] = []
        for outputs, batch in run_over(self.network, loader, self.device):
            yield outputs, batch
            self._room -= outputs.numel() if isinstance(outputs, Tensor) else _KEPT + 1
            if self._room >= 0:
                found.append((outputs, batch))
        if len(found) == len(loader):
            self._kept[group, causal] = found


def weigh(known: Reference, other: Model, *, most: bool = False) -> Mixed | None:
    """Mix two models in tenths on a split; ``None`` if their outputs cannot be mixed, or nothing is scored.

    A metric of labels, such as F1, has few values on little data. So of the shares at which it is at least as good as
    for both models, the one with the lowest loss is taken; if there are none, the one with the best metric.

    Args:
        known: the one, on the validation split; its task says how outputs are mixed and judged.
        other: the other, on the same device.
        most: take the largest share that makes the metric better than it is for the one, not the best share.

    Cost: that of running both on at most 100 000 steps of the split, and of judging eleven mixtures. Of models with
    very many outputs, such as items, fewer steps are read: 2 800 for 24 000 items.
    """
    task = known.task
    if task.mixing is None:
        return None
    metrics = reporting(known.config.own, (task.chooses, task.watch))
    found = [_sums(known, group, other, metrics) for group in range(len(known.groups))]
    by_group = [one for one in found if one is not None]
    if not by_group or len(by_group) < len(found):
        return None
    shares = [[one[at] for one in by_group] for at in range(len(_SHARES))]
    scores = [values(summed(sums), metrics) for sums in shares]
    costs = [_cost(task.chooses, row) for row in scores]
    losses = [_cost(task.watch, row) for row in scores]
    both = min(costs[0], costs[-1])
    good = [at for at, value in enumerate(costs) if value <= both]
    best = min(good, key=lambda at: (losses[at], at)) if good else costs.index(min(costs))
    if most:
        best = max((at for at, value in enumerate(costs) if value < costs[0]), default=0)
    if not math.isfinite(costs[best]):
        return None
    errors = _errors((task.chooses, task.watch), shares[best], shares[0], metrics) if best else {}
    gains = {task.chooses: costs[0] - costs[best], task.watch: losses[0] - losses[best]}
    surely = any(gain > _SURE * errors.get(name, 0.0) for name, gain in gains.items())
    helps = best > 0 and costs[best] <= both and (surely or costs[-1] < costs[0])
    metric = [row.get(task.chooses, math.nan) for row in scores]
    return Mixed(task.chooses, _SHARES[best], metric[best], metric[0], metric[-1], helps, errors.get(task.chooses, 0.0))


def surely_better(known: Reference, other: Model, *, by_loss: bool = False) -> bool:
    """Whether a model is better than ``other`` on a split by more than two standard errors.

    Args:
        known, other: as for `weigh`.
        by_loss: a lower loss counts too, unless the metric that chooses the weights is worse.
    """
    names = dict.fromkeys((known.task.chooses, known.task.watch) if by_loss else (known.task.chooses,))
    metrics = reporting(known.config.own, tuple(names))
    found = [_sums(known, group, other, metrics, (0.0, 1.0)) for group in range(len(known.groups))]
    pairs = [one for one in found if one is not None]
    if len(pairs) < _LEAST:
        return False
    ours, theirs = [one[0] for one in pairs], [one[1] for one in pairs]
    rows = [values(summed(sums), metrics) for sums in (ours, theirs)]
    gains = {name: _cost(name, rows[1]) - _cost(name, rows[0]) for name in names}
    errors = _errors(tuple(names), ours, theirs, metrics)
    surely = any(gain > _SURE * errors[name] for name, gain in gains.items())
    return surely and gains[known.task.chooses] >= 0


def _cost(name: str, row: dict[str, float]) -> float:
    value = cost(name, row.get(name, math.nan))
    return value if math.isfinite(value) else math.inf


def _errors(names: tuple[str, ...], ours: list[Sums], theirs: list[Sums], known: Programs) -> dict[str, float]:
    """The standard error of the difference in each measure; 0 where there are too few groups to tell."""
    if len(ours) < _LEAST:
        return dict.fromkeys(names, 0.0)
    draws = redrawn(ours, known), redrawn(theirs, known)
    errors = {name: standard_error(name, *draws) for name in names}
    return {name: 0.0 if math.isnan(error) else error for name, error in errors.items()}


def _sums(
    known: Reference, group: int, other: Model, metrics: Programs, shares: tuple[float, ...] = _SHARES
) -> list[Sums] | None:
    """The sums of the metrics for each share; ``None`` if the outputs are not plain numbers."""
    task, totals = known.task, [Sums() for _ in shares]
    for ours, theirs, batch in known.beside(group, other):
        if not isinstance(ours, Outputs) or not isinstance(theirs, Outputs):
            return None
        for at, judged in enumerate(task.judge_mixtures(ours, theirs, shares, batch)):
            totals[at] = added(totals[at], judged, metrics)
    return totals
