"""The memory horizon: how much of an answer's gradient reaches the steps before it, by how far back they are.

Axes: B rows, T steps, E width of the embedded input, K lags.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.errors import DataError, UsageError
from unrolled.models.model import Model
from unrolled.tasks.task import Task

__all__ = ["Asked", "Horizon", "asked_of", "memory_horizon"]

_LONGEST = 1_000  # lags, where the user does not say
_TARGETS = 256  # answers that are looked at
_BATCH = 32
_PART = 10  # a tenth of the lags is what "recent", "halfway" and "farthest" mean
_FADED = 0.01
_GROWN = 100.0

Verdict = Literal["vanishing", "exploding", "healthy"]


class Asked(NamedTuple):
    """A batch, and the loss of what each row is asked at its last step, summed over the rows."""

    inputs: dict[str, Tensor]
    lengths: Tensor
    loss: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Horizon:
    r"""The spectrum ‖∂L_t / ∂x_{t-k}‖ over the lag k, and what it says.

    ::

        g_k = mean over answers t of ‖∂L_t / ∂x_{t-k}‖        x the embedded input
        survival = (mean of g over the farthest tenth of the lags) / (mean over the nearest tenth)

        vanishing   survival < 1/100
        exploding   g grows a hundredfold from the nearest tenth to the middle one and again to the farthest,
                    or is not finite
        healthy     neither

    Why 1/100: an update sums over rows, and what one step adds is seen over the noise of the others once there are
    about (1 / survival)² rows. A step whose gradient is a hundred times weaker than that of recent ones needs ten
    thousand rows to say what those say in one; a batch has tens. Why twice a hundredfold: what explodes does so by the
    same factor at each step; a model that has learned to look at one far place has a peak there, and no slope.

    The verdict is about rows as long as those that were measured. Of a trained model, vanishing may also mean that its
    answers do not depend on what is far back.

    Attributes:
        norms: g_k for k = 0 … K-1.
        lag_90: the lag up to which 90 % of Σ g lie.
        survival: see above; NaN if g is 0 or not finite.
        reach: the largest lag at which g is at least 1/100 of the mean over the nearest tenth.
        verdict: see above.
        answers: how many were looked at.
    """

    norms: tuple[float, ...]
    lag_90: int
    survival: float
    reach: int
    verdict: Verdict
    answers: int

    def __str__(self) -> str:
        farthest = len(self.norms) - 1
        if self.verdict == "vanishing":
            left = f"{self.survival:.1g} of the recent steps' gradient is left" if self.survival else "nothing is left"
            says = f"vanishing: {left} at the farthest lags; what is more than {self.reach} steps back is not learned"
        elif self.verdict == "exploding":
            says = "exploding: the gradient grows with the lag; clip it, or start from smaller recurrent weights"
        else:
            says = f"healthy: steps as far back as {farthest} still teach ({self.survival:.2g} of the recent steps')"
        return "\n".join([_plot(self.norms), "", f"90 % of it within {self.lag_90} steps", says])


def memory_horizon(network: Model, batches: Iterable[Asked], lags: int) -> Horizon:
    """Measure ``network`` by autograd on the embedded input; its weights are left alone.

    Args:
        network: any model, trained or not. One that reads both ways is measured on the past of its last steps.
        batches: what is asked of it.
        lags: K ≥ 2, at most; rows that are shorter say nothing of lags that they do not have.

    Raises:
        UsageError: ``lags`` below 2, or the input has no time axis.
        DataError: no row has two steps.
    """
    if lags < 2:
        raise UsageError(f"lags must be at least 2, got {lags}")
    if not network.columns.timed:
        raise UsageError("this model reads one step a row: it has no memory to measure")
    total, count, answers = torch.zeros(lags, dtype=torch.float64), torch.zeros(lags, dtype=torch.float64), 0
    training = network.training
    network.eval()  # no dropout: it would be measured too
    try:
        for asked in batches:
            norms = _norms(network, asked)  # (B, T)
            lag = asked.lengths[:, None] - 1 - torch.arange(norms.shape[1])
            known = (lag >= 0) & (lag < lags)
            total.index_add_(0, lag[known], norms[known])
            count.index_add_(0, lag[known], torch.ones_like(norms[known]))
            answers += len(norms)
    finally:
        network.train(training)
    measured = int((count > 0).sum())
    if measured < 2:
        raise DataError("no row has two steps, so there is no lag to measure")
    return _judge((total[:measured] / count[:measured]).tolist(), answers)


def asked_of(task: Task, examples: Examples, lags: int | None) -> tuple[Iterator[Asked], int]:
    """(batches, K) of a trained model's own data: answers spread evenly over it, each with the steps before it."""
    steps = examples.form.plans.questions(examples.steps())
    rows = np.arange(len(steps))
    if examples.horizon:
        lags = task.batching.lookback if lags is None else lags
        rows, ends = examples.window_ends()
    else:
        lags = int(min(_LONGEST, steps.max(initial=2))) if lags is None else lags
        ends = steps
        if not task.pooled:  # any step may be the last one, as long as it has all lags before it, or all of its row
            possible = np.maximum(steps - np.minimum(steps, lags) + 1, 0) * (steps > 0)
            places = _spread(int(possible.sum()))
            starts = np.cumsum(possible) - possible
            rows = np.searchsorted(starts, places, side="right") - 1
            ends = np.minimum(steps, lags)[rows] + places - starts[rows]
    chosen = _spread(len(rows))
    window = int(steps.max(initial=1)) if task.pooled and not examples.horizon else lags
    loader = Loader(examples, Windows(rows[chosen], ends[chosen], window, _BATCH))
    return (_ask(task, loader, index) for index in range(len(loader))), lags


def _ask(task: Task, loader: Loader, index: int) -> Asked:
    batch = loader[index]
    batch = batch if task.pooled else replace(batch, scored=batch.lengths - 1)
    return Asked(batch.inputs, batch.lengths, lambda outputs: task.loss(outputs, batch)[0])


def _spread(count: int) -> np.ndarray:
    """At most `_TARGETS` of 0 … count - 1, evenly."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, _TARGETS)).astype(np.int64))


def _norms(network: Model, asked: Asked) -> Tensor:
    """(B, T): ‖∂L/∂x_t‖ over all columns that have time."""
    leaves: list[Tensor] = []

    def cut(_module: torch.nn.Module, _inputs: object, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    timed = [e for e, spec in zip(network.columns.embeddings, network.columns.specs.values(), strict=True) if spec.time]
    hooks = [embedding.register_forward_hook(cut) for embedding in timed]
    try:
        with torch.enable_grad():
            outputs, _ = network(asked.inputs, asked.lengths)
            gradients = torch.autograd.grad(asked.loss(outputs), leaves)  # (B, T, E) of each column
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat([gradient.double() for gradient in gradients], 2).norm(
        dim=2
    )  # float32 would lose squares of 1e-20


def _judge(norms: list[float], answers: int) -> Horizon:
    g, part = np.array(norms), max(1, len(norms) // _PART)
    middle = len(g) // 2 - part // 2
    recent, halfway, farthest = (float(g[at : at + part].mean()) for at in (0, middle, len(g) - part))
    finite, total = bool(np.isfinite(g).all()), float(g.sum())
    survival = farthest / recent if finite and recent > 0 else math.nan
    lag_90 = int(np.searchsorted(np.cumsum(g), 0.9 * total)) if finite else len(g) - 1
    reach = int(np.flatnonzero(g >= _FADED * recent).max(initial=0)) if finite else len(g) - 1
    verdict: Verdict = "healthy"
    if not finite or (halfway > _GROWN * recent and farthest > _GROWN * halfway):
        verdict = "exploding"
    elif not farthest >= _FADED * recent or total == 0:
        verdict = "vanishing"
    return Horizon(tuple(norms), lag_90, survival, reach, verdict, answers)


_BAR, _DECADES = 40, 12


def _plot(norms: tuple[float, ...]) -> str:
    """A bar for each band of lags, twice as wide as the one before; lengths are logarithms."""
    bands = [(0, 1)]
    while bands[-1][1] < len(norms):
        bands.append((bands[-1][1], min(2 * bands[-1][1], len(norms))))
    means = [float(np.mean(norms[start:stop])) for start, stop in bands]
    logs = [math.log10(mean) if 0 < mean < math.inf else -math.inf for mean in means]
    highest = max(logs)
    lowest = max(min((one for one in logs if one > -math.inf), default=0.0), highest - _DECADES)
    decade = _BAR / max(1.0, highest - lowest + 1)  # characters; the lowest is one decade long
    names = [str(start) if stop - start == 1 else f"{start}–{stop - 1}" for start, stop in bands]
    width = max(len(name) for name in [*names, "lag k"])
    lines = [f"{'lag k':<{width}}  ‖∂L_t/∂x_t-k‖"]
    for name, mean, log in zip(names, means, logs, strict=True):
        length = _BAR if not math.isfinite(mean) else round(decade * max(0.0, log - lowest + 1)) if mean > 0 else 0
        lines.append(f"{name:<{width}}  {mean:<9.2g} {'█' * length}".rstrip())
    return "\n".join(lines)
