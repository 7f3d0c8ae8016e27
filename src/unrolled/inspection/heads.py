"""Attention with its test: what the loss of a row's answers is when a head is made uniform.

Axes: B rows, T steps, H heads, N steps that attention sees, R rows of a batch of heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import UsageError
from unrolled.inspection.ablation import Worth, losses_of, paired
from unrolled.inspection.answer import without_dropout
from unrolled.inspection.attribute import Attribution
from unrolled.inspection.interventions import evenly
from unrolled.inspection.names import in_words
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["Head", "Heads", "heads_of"]

_MOST = 1 << 25  # numbers of weights in memory at a time
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Head:
    """A head of attention.

    Attributes:
        path: of its weights.
        number: from 0, among the heads of these weights.
        worth: how much higher the loss is when it attends to all steps that it sees alike.
        agreement: how its weights for one answer rank the steps, against how much each is worth to that answer: the
            rank correlation, from -1 to 1; ``None`` where it was not measured, or one of them is constant.
    """

    path: str
    number: int
    worth: Worth
    agreement: float | None = None

    @property
    def name(self) -> str:
        """The head in words."""
        place = in_words(self.path).removesuffix("attention")
        return f"{place}head {self.number}"

    @property
    def matters(self) -> bool:
        """Whether the loss is surely higher without its weights."""
        return self.worth.sure and self.worth.harm > 0


@dataclass(frozen=True, slots=True)
class Heads:
    """Every head of a model, each made uniform by itself.

    A map of attention shows where a head looks, not what the answer rests on: it is an explanation of the loss only if
    the loss is more than two standard errors higher when the head looks everywhere alike.

    Attributes:
        heads: in the order of the layers.
        answers: N, over which the differences are paired.
        loss: the ordinary mean loss.
        measure: what the loss is, as in the metrics of the model.
    """

    heads: tuple[Head, ...]
    answers: int
    loss: float
    measure: str

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Which heads matter, with their numbers, and which do not."""
        matter = sorted((head for head in self.heads if head.matters), key=lambda head: -head.worth.harm)
        idle = [head for head in self.heads if not head.matters]
        said = []
        if matter:
            named = "; ".join(
                f"{head.name}, by {head.worth.harm:.3g} ± {head.worth.error:.1g}" for head in matter[:_NAMED]
            )
            more = f" and {len(matter) - _NAMED} more" if len(matter) > _NAMED else ""
            one, of = len(matter) == 1, len(self.heads)
            which = "the only head matters" if of == 1 else f"{len(matter)} of {of} heads matter{'s' if one else ''}"
            said.append(
                f"{which}: attending to all steps alike raises {self.measure} from {self.loss:.4g} over "
                f"{self.answers:,} answers ({named}{more})"
            )
        if idle:
            named = "; ".join(head.name for head in idle[:_NAMED]) + (" …" if len(idle) > _NAMED else "")
            which, explain, each = (
                (f"the map of {named}", "explains", "this head")
                if len(idle) == 1
                else (f"the maps of {len(idle)} heads ({named})", "explain", "one of them")
            )
            said.append(
                f"{which} {explain} nothing about the loss here: when {each} attends to all steps alike, it is not "
                f"surely higher over {self.answers:,} answer{'s' * (self.answers != 1)}; fewer heads or layers might do"
            )
        return tuple(said)

    @property
    def sentence(self) -> str:
        """The verdicts as one."""
        return "; ".join(self.verdicts)


def heads_of(network: Model, task: Task, batch: Batch, occlusion: Attribution | None = None) -> Heads:
    """Make each head of each attention uniform, one in each row of a batch, and measure the loss of the same answers.

    Args:
        network, task: the model; dropout is off.
        batch: one row or more, with the target. Give a text of a few hundred steps.
        occlusion: what an answer of the only row rests on, with which the ranks of the weights are compared.

    Raises:
        UsageError: the model has no attention.
        DataError: the batch has no target.

    Cost: as many runs of the batch as there are heads.
    """
    sizes: dict[str, tuple[int, int]] = {}

    def measure(path: str, value: Tensor) -> Tensor:
        if path.rpartition(".")[2] == "attention":
            sizes[path] = (value.shape[2] if value.dim() == 4 else 1, value.numel())
        return value

    with without_dropout(network), torch.no_grad():
        ordinary, counts = losses_of(network, task, batch, measure)
        if not sizes:
            raise UsageError(f"only a model with attention has heads; this one is the {network.title}")
        every = [(path, head) for path, (heads, _) in sizes.items() for head in range(heads)]
        at_once = max(1, _MOST // max(1, max(numbers for _, numbers in sizes.values())))
        groups = [every[start : start + at_once] for start in range(0, len(every), at_once)]
        losses = torch.cat([_uniform(network, task, batch, group) for group in groups])
        weights = {} if occlusion is None else _weights(network, batch, list(sizes))
    known = counts > 0
    heads = [
        Head(
            path,
            head,
            paired((changed - ordinary)[known] / counts[known]),
            _agreement(weights.get(path), head, occlusion),
        )
        for (path, head), changed in zip(every, losses, strict=True)
    ]
    return Heads(tuple(heads), int(known.sum()), float((ordinary[known] / counts[known]).mean()), task.watch)


def _uniform(network: Model, task: Task, batch: Batch, heads: list[tuple[str, int]]) -> Tensor:
    """(heads, …): the losses of the answers of the batch with each of the heads made uniform."""
    rows = len(batch.rows)
    place = torch.arange(len(heads) * rows, device=batch.lengths.device)

    def spread(path: str, value: Tensor) -> Tensor:
        mine = [nth for nth, (of, _) in enumerate(heads) if of == path]
        if not mine:
            return value
        value = value.clone()
        for nth in mine:
            here = slice(nth * rows, (nth + 1) * rows)
            part = value[here] if value.dim() == 3 else value[here, :, heads[nth][1]]
            part.copy_(evenly(part))
        return value

    losses, _ = losses_of(network, task, batch.only(place % rows), spread)
    return losses.view(len(heads), rows, *losses.shape[1:])


def _weights(network: Model, batch: Batch, paths: list[str]) -> dict[str, Tensor]:
    """Path -> (T, H, N), the weights of the first row."""
    with watching(recorder := Recorder(network, keep=paths.__contains__)):
        network.run(batch)
    found = {path: value[0] for path, value in recorder.values().items()}
    return {path: value if value.dim() == 3 else value[:, None] for path, value in found.items()}


def _agreement(weights: Tensor | None, head: int, occlusion: Attribution | None) -> float | None:
    """The rank correlation of the weights for an answer with what each step is worth to it."""
    if weights is None or occlusion is None:
        return None
    at = len(weights) - 1 if occlusion.step is None else occlusion.step
    first, worth = occlusion.first, np.abs(occlusion.values)
    if at >= len(weights) or weights.shape[2] < first + len(worth):
        return None
    ranks = _ranks(weights[at, head, first : first + len(worth)].cpu().numpy()), _ranks(worth)
    if min(float(part.std()) for part in ranks) == 0:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value; equal ones share theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[place])
