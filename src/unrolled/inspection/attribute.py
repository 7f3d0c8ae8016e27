"""Why one answer: what each step that was read is worth to it, by occlusion, or by gradients.

Axes: W steps that are explained, E width of an embedded step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import UsageError, did_you_mean, named
from unrolled.inspection.answer import Answer, Of, answer_name, answer_of, without_dropout
from unrolled.inspection.stand_ins import StandIns
from unrolled.models.model import Model
from unrolled.tasks.task import Task

__all__ = ["WINDOW", "Attribution", "Method", "attribute"]

Method = Literal["occlusion", "input_x_gradient", "integrated_gradients"]
WINDOW = 100  # steps
_POINTS = 64
_GAP, _NATS = 0.05, 0.05  # the largest gap that integrated gradients are shown with: a share of F − F₀, and in all
_MEAN, _ZERO = "the mean of the row's embedded steps", "zeros"


@dataclass(frozen=True, slots=True, repr=False)
class Attribution:
    r"""What each step is worth to one answer.

    ::

        occlusion              a_t = F − F(x_t replaced by x̄)
        input_x_gradient       a_t = x_t · ∂F/∂x_t
        integrated_gradients   a_t = (x_t − x̄) · mean over α of ∂F/∂x_t at x̄ + α (x − x̄),  α = 1/128, 3/128 … 127/128

    x̄ is the mean of the row's embedded steps.

    F₀ is the score with the baseline in place of all W steps. The parts of occlusion need not sum to F − F₀: steps may
    stand in for each other, or count only together. Those of integrated gradients should, and where they do not, the
    gradient along the path says nothing; then they are not shown.

    Attributes:
        answer: which answer it is, in words.
        step: its number; ``None``: that of the row.
        of: what F is, as in `Reach`.
        method: how the values were computed.
        first: the number of the first of the W steps.
        values: a_t.
        columns: the same of each column, where the model reads several.
        score: F.
        without: F₀.
        baseline: what stands in place of a step.
        note: why there is another method than asked for, and what else limits what is shown; or empty.
        read: what was read at each of the W steps, in words, where it is known.
        scale: what F is in words, such as the logit of what came; see `Task.score`.
    """

    answer: str
    step: int | None
    of: Of
    method: Method
    first: int
    values: tuple[float, ...]
    columns: dict[str, tuple[float, ...]]
    score: float
    without: float
    baseline: str
    note: str = ""
    read: tuple[str, ...] = ()
    scale: str = "score"

    @property
    def total(self) -> float:
        """The sum of the values."""
        return math.fsum(self.values) if all(map(math.isfinite, self.values)) else math.nan

    @property
    def gap(self) -> float:
        """By how much the sum of the values misses F − F₀."""
        return self.total - (self.score - self.without)

    def top(self, most: int = 3) -> tuple[tuple[int, float], ...]:
        """The steps that are worth most, for or against, and their values."""
        order = sorted(range(len(self.values)), key=lambda at: -abs(self.values[at]))
        return tuple((self.first + at, self.values[at]) for at in order[:most])

    def within(self, start: int, read: Sequence[str]) -> Attribution:
        """The same of a longer row, of which these steps begin at ``start``, and what was ``read`` at each of them."""
        step = None if self.step is None else self.step + start
        mine = tuple(read[self.first : self.first + len(self.values)])
        answer = self.answer if start == 0 or step is None else answer_name(step)
        return replace(self, answer=answer, step=step, first=self.first + start, read=mine)

    def _named(self, step: int) -> str:
        word = self.read[step - self.first] if self.read else ""
        return f"{step:,} {word!r}" if word and word != str(step) else f"{step:,}"

    @property
    def sentence(self) -> str:
        """The steps that the answer rests on, and how far the values can be trusted."""
        what = f"{self.answer} ({self.scale} {self.score:.3g})"
        noted = f"; {self.note}" if self.note else ""
        if not any(self.values):
            every = f"any of the {len(self.values):,} steps" if len(self.values) > 1 else "the only step"
            return f"{what} stays the same when {every} that it was made from is replaced by {self.baseline}{noted}"
        steps = ", ".join(f"{self._named(step)} ({value:+.3g})" for step, value in self.top())
        last = self.first + len(self.values) - 1
        return (
            f"{what} rests most on the steps {steps}; the steps {self.first:,} to "
            f"{last:,} are worth {self.score - self.without:+.3g} together and {self.total:+.3g} one by one, a gap of "
            f"{self.gap:+.2g} ({self.method.replace('_', ' ')}, against {self.baseline}){noted}"
        )

    def __str__(self) -> str:
        return self.sentence


def attribute(
    network: Model,
    task: Task,
    batch: Batch,
    step: int = -1,
    method: Method = "occlusion",
    window: int = WINDOW,
    of: Of = "logit",
) -> Attribution:
    """Say what each step is worth to one answer.

    Integrated gradients with a gap of more than 5 % of F − F₀, or of more than 0.05, are not shown: occlusion is shown
    instead, with a note that says so and names a shorter window whose gap is small, if there is one.

    Args:
        network, task: the model; dropout is off.
        batch: one row.
        step: the answer's step, from 0, or from the end if it is negative.
        method: see `Attribution`.
        window: the most steps that are explained, ≥ 1; see `StandIns`.
        of: what F is.

    Raises:
        UsageError: the model is no network or reads no steps, there is no such step or method, or no window.
        DataError: the score needs a target, and there is none.

    Cost: the row once, and its window once for each step of it, and again for each column where there are several; of
        integrated gradients 64 times forward and back.
    """
    if method not in get_args(Method):
        raise UsageError(f"unknown method {method!r}.{did_you_mean(method, get_args(Method))}")
    if window < 1:
        raise UsageError(f"{named('window')} must be at least 1, got {window}")
    answer = answer_of(network, task, batch, step, of)
    with without_dropout(network):
        found = _measured(answer, StandIns(answer, window), method)
        if method != "integrated_gradients" or _small(found):
            return found
        occluded = _measured(answer, StandIns(answer, window), "occlusion")
        return replace(
            occluded, note="; ".join(filter(None, (occluded.note, _refused(found, _shorter(answer, found)))))
        )


def _measured(answer: Answer, rows: StandIns, method: Method) -> Attribution:
    zero = method == "input_x_gradient"
    vectors = {path: torch.zeros_like(mean) for path, mean in rows.mean.items()} if zero else rows.mean
    with torch.no_grad():
        score = float(rows.scores(1, lambda _, value: value)[0])
    if method == "occlusion":
        by_column = _occluded(rows, score)
    else:
        by_column = _along(rows, vectors, 1 if zero else _POINTS)
    values = {name: tuple(column.tolist()) for name, column in by_column.items()}
    together = values.pop("")
    return Attribution(
        answer=answer.name,
        step=answer.step,
        of=answer.of,
        method=method,
        first=rows.first,
        values=together,
        columns=values if len(values) > 1 else {},
        score=score,
        without=rows.without_all(vectors),
        baseline=_ZERO if zero else _MEAN,
        note=_elsewhere(answer.network, rows),
        scale="loss" if answer.of == "loss" else _scale(answer),
    )


def _scale(answer: Answer) -> str:
    """What `Task.score` is, in words."""
    task = answer.task
    if answer.network.writes:
        return "logit"
    if task.chain or answer.batch.target_lengths is not None:
        return "minus the loss"
    words = {"softmax": "logit", "sigmoid": "log odds", "mean": "scaled answer"}
    found = words.get(task.mixing or "", "score")
    if task.mixing == "softmax" or task.outputs == 1:
        return found
    return f"sum of {task.outputs:,} {'log odds' if task.mixing == 'sigmoid' else 'outputs'}"


def _occluded(rows: StandIns, score: float) -> dict[str, Tensor]:
    """The exact difference that each step makes, of all columns together, and of each where there are several."""
    columns = list(dict.fromkeys(rows.columns.values()))
    found = {}
    for name in ["", *columns] if len(columns) > 1 else [""]:
        parts = []
        for start in range(0, rows.count, rows.at_once):
            places = torch.arange(start, min(rows.count, start + rows.at_once)) + rows.places.start

            def embed(path: str, value: Tensor, places: Tensor = places, name: str = name) -> Tensor:
                if name and rows.columns[path] != name:
                    return value
                value = value.clone()
                value[torch.arange(len(places)), places] = rows.mean[path]
                return value

            with torch.no_grad():
                parts.append(score - rows.scores(len(places), embed))
        found[name] = torch.cat(parts)
    return found


def _along(rows: StandIns, vectors: dict[str, Tensor], points: int) -> dict[str, Tensor]:
    """(x − x̄) times the mean gradient on the way from x̄ to x; with one point, the gradient at x."""
    shares = torch.ones(1) if points == 1 else (torch.arange(points) + 0.5) / points
    leaves: dict[str, Tensor] = {}
    sums = {path: torch.zeros(rows.count, value.shape[1], dtype=torch.float64) for path, value in rows.x.items()}
    for part in torch.split(shares, rows.at_once):

        def embed(path: str, value: Tensor, part: Tensor = part) -> Tensor:
            way = part.to(value)[:, None, None]
            value = value.clone()
            value[:, rows.places] = torch.lerp(
                vectors[path].expand_as(value[:, rows.places]), value[:, rows.places], way
            )
            leaves[path] = value.detach().requires_grad_()
            return leaves[path]

        with torch.enable_grad():
            score = rows.scores(len(part), embed).sum()
            gradients = torch.autograd.grad(score, list(leaves.values()))
        for path, gradient in zip(leaves, gradients, strict=True):
            sums[path] += gradient[:, rows.places].double().sum(0).cpu()
    found = {"": torch.zeros(rows.count, dtype=torch.float64)}
    for path, gradient in sums.items():
        values = ((rows.x[path][rows.places] - vectors[path]).double().cpu() * gradient / len(shares)).sum(1)
        for name in ("", rows.columns[path]):
            found[name] = found.get(name, 0) + values
    return found


def _small(found: Attribution) -> bool:
    """Whether the gap is small enough to show the values; one that is not a number is not."""
    return abs(found.gap) <= min(_GAP * abs(found.score - found.without), _NATS)


def _shorter(answer: Answer, refused: Attribution) -> int | None:
    """The largest of a half, a quarter … of the steps over which integrated gradients have a small gap."""
    window = len(refused.values) // 2
    while window and not _small(_measured(answer, StandIns(answer, window), "integrated_gradients")):
        window //= 2
    return window or None


def _refused(found: Attribution, shorter: int | None) -> str:
    """Why integrated gradients are not shown."""
    missed = f"their sum misses the difference of {found.score - found.without:+.3g} by {found.gap:+.2g}"
    offered = f"; over a window of {shorter:,} steps their gap is small" if shorter else ""
    return f"integrated gradients are not shown, as {missed} over {len(found.values):,} steps{offered}"


def _elsewhere(network: Model, rows: StandIns) -> str:
    """That a part of the model reads the steps itself, if there is one."""
    if all(path.startswith("columns.") for path in rows.columns):
        return ""
    return f"only the network in {network.title} is asked: the rest of it reads the steps as they are"
