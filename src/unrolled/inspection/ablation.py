"""What each unit of a layer is worth: the loss when it is held at its mean, all units in one batch of rows.

Axes: B rows, T steps, H units, N answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import DataError, UsageError, did_you_mean
from unrolled.inspection.names import in_words
from unrolled.layers.lengths import real_steps
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["SURE", "Ablation", "Worth", "ablate_units", "losses_of", "paired", "unit_means"]

SURE = 2.0  # standard errors
_MOST = 1 << 25  # numbers of outputs or states in memory at a time
_HARMLESS = 0.001  # nats
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Worth:
    """How much higher the loss of the same answers is after a change.

    Attributes:
        harm: the mean difference; above 0 the model used what was changed.
        error: its standard error, which takes the answers as independent.
    """

    harm: float
    error: float

    @property
    def sure(self) -> bool:
        """Whether the difference is more than two standard errors, and than rounding, in either direction."""
        return abs(self.harm) > max(SURE * self.error, _ROUNDING)


@dataclass(frozen=True, slots=True)
class Ablation:
    """The loss of a row's answers with each unit held at its mean, against the ordinary loss.

    Attributes:
        name: what was held, in words.
        units: the numbers of the units, from 0.
        held: the mean at which each was held.
        worth: of each unit.
        answers: N, over which differences are paired.
        loss: the ordinary mean loss.
        measure: what the loss is, as in the metrics of the model.
    """

    name: str
    units: tuple[int, ...]
    held: tuple[float, ...]
    worth: tuple[Worth, ...]
    answers: int
    loss: float
    measure: str

    @property
    def harmless(self) -> tuple[int, ...]:
        """The units without which the loss is less than 0.001 higher."""
        return tuple(unit for unit, worth in zip(self.units, self.worth, strict=True) if worth.harm < _HARMLESS)

    @property
    def sentence(self) -> str:
        """How many units matter, and which most."""
        worst = max(range(len(self.units)), key=lambda at: self.worth[at].harm)
        most = self.worth[worst]
        return (
            f"{self.name}: {len(self.harmless)} of {len(self.units)} units are harmless: held at its mean, each costs "
            f"less than {_HARMLESS:g}; unit {self.units[worst]} matters most, {most.harm:+.3g} ± {most.error:.1g} of "
            f"{self.measure} {self.loss:.4g}, over {self.answers} answers"
        )


def ablate_units(network: Model, task: Task, batch: Batch, path: str, units: Sequence[int] | None = None) -> Ablation:
    """Hold each unit of ``path`` at its mean over the real steps, one unit in each row of a batch.

    Args:
        network, task: the model; dropout is off.
        batch: one row or more, with the target. Give a text of a few hundred steps.
        path: of a gate or a state (B, H) of each step, such as ``layer.layers.0.0.c``.
        units: which; ``None``: all of them.

    Raises:
        UsageError: nothing is shown at ``path``, it has no units, or there is no such unit.
        DataError: the batch has no target.

    Cost: as many rows as there are units, step by step without the kernels.
    """
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            ordinary, counts = losses_of(network, task, batch)
            means, numbers = unit_means(network, batch, path)
            chosen = list(range(len(means))) if units is None else list(units)
            for unit in chosen:
                if not 0 <= unit < len(means):
                    raise UsageError(f"there is no unit {unit}: {in_words(path)} has the units 0 to {len(means) - 1}")
            at_once = max(1, _MOST // max(1, numbers))
            groups = [chosen[start : start + at_once] for start in range(0, len(chosen), at_once)]
            losses = [_without_each(network, task, batch, path, group, means) for group in groups]
    finally:
        network.train(training)
    known = counts > 0
    worth = [paired((held - ordinary)[known] / counts[known]) for group in losses for held in group]
    return Ablation(
        name=in_words(path),
        units=tuple(chosen),
        held=tuple(means[chosen].tolist()),
        worth=tuple(worth),
        answers=int(known.sum()),
        loss=float((ordinary[known] / counts[known]).mean()),
        measure=task.watch,
    )


def losses_of(
    network: Model, task: Task, batch: Batch, change: Callable[[str, Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The loss of each answer of a batch and its number of targets, as `Task.each`, while values are changed.

    Args:
        network, task: the model, with dropout off.
        batch: with the target.
        change: as for `Recorder`; ``None``: the ordinary run.

    Raises:
        DataError: the batch has no target.
    """
    if batch.target is None:
        raise DataError("the data has no target, so there is no loss to measure")
    with watching(None if change is None else Recorder(network, keep=lambda _: False, change=change)):
        outputs, _ = network.run(batch)
    losses, counts = task.each(outputs, batch)
    return losses.double(), counts.double()


def paired(differences: Tensor) -> Worth:
    """The mean of paired differences (N,), and its standard error.

    Raises:
        DataError: there is none.
    """
    count = len(differences)
    if not count:
        raise DataError("no answer is known, so there is no loss to measure")
    error = float(differences.std(correction=1)) / math.sqrt(count) if count > 1 else math.inf
    return Worth(float(differences.mean()), error)


def unit_means(network: Model, batch: Batch, path: str) -> tuple[Tensor, int]:
    """(H,) the mean of each unit over all real steps, and how many numbers a run of the batch holds at least.

    Args:
        network: the model, with dropout off.
        batch: the rows.
        path: as for `ablate_units`.

    Raises:
        UsageError: nothing is shown at ``path``, or it has no units.
        DataError: the rows have no steps.
    """
    shown: dict[str, None] = {}

    def keep(other: str) -> bool:
        shown[other] = None
        return other == path

    with watching(recorder := Recorder(network, keep)):
        outputs, _ = network.run(batch)
    values = recorder.values().get(path)
    if values is None:
        raise UsageError(f"the model shows nothing at {path!r}.{did_you_mean(path, shown)}")
    if values.dim() != 3:
        raise UsageError(f"{in_words(path)} has no units that could be held one by one: it is no vector of each step")
    lengths = batch.lengths
    if network.writes and not path.startswith("layer.") and batch.target_lengths is not None:
        lengths = (batch.target_lengths - 1).clamp(min=0)
    real = real_steps(lengths, values.shape[1])
    if not real.any():
        raise DataError("the rows have no steps")
    size = outputs.numel() if isinstance(outputs, Tensor) else 0
    return values[real].mean(0), max(size, values.numel())


def _without_each(network: Model, task: Task, batch: Batch, path: str, units: list[int], means: Tensor) -> Tensor:
    """(units, …): the losses of the answers of the batch with each of the units held."""
    rows = len(batch.rows)
    place = torch.arange(len(units) * rows, device=means.device)
    unit = torch.tensor(units, device=means.device).repeat_interleave(rows)

    def hold(other: str, value: Tensor) -> Tensor:
        if other != path:
            return value
        value = value.clone()
        value[place, unit] = means[unit]
        return value

    losses, _ = losses_of(network, task, batch.only(place % rows), hold)
    return losses.view(len(units), rows, *losses.shape[1:])
