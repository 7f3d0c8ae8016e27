"""The memory horizon: how much of the gradient of an output reaches earlier steps, by their lag.

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
from unrolled.errors import DataError, UsageError, counted, named
from unrolled.inspection.answer import InputLeaves, without_dropout
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.page.chart import Chart
from unrolled.page.notebook import cell, sentences
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["Asked", "Horizon", "asked_of", "memory_horizon"]

_LONGEST = 1_000  # lags, by default
_TARGETS = 256  # the most outputs that are measured
_BATCH = 32
_PART = 10  # a tenth of the lags is what "recent", "halfway" and "farthest" mean
_FADED = 0.01
_GROWN = 100.0

Verdict = Literal["vanishing", "exploding", "healthy"]


class Asked(NamedTuple):
    """A batch, and the loss of the output at the last step of each row, summed over the rows."""

    inputs: dict[str, Tensor]
    lengths: Tensor
    loss: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Horizon:
    r"""The gradient norms ‖∂L_t / ∂x_{t-k}‖ by lag k, and a verdict.

    ::

        g_k = mean over outputs t of ‖∂L_t / ∂x_{t-k}‖        x the embedded input
        survival = (mean of g over the farthest tenth of the lags) / (mean over the nearest tenth)

        vanishing   survival < 1/100
        exploding   g grows a hundredfold from the nearest tenth to the middle one and again to the farthest,
                    or is not finite
        healthy     neither

    Why 1/100: an update sums over rows, and the contribution of one step stands out from the noise of the others once
    there are about (1 / survival)² rows. If its gradient is a hundred times weaker than that of recent steps, it needs
    ten thousand rows instead of one; a batch has tens. Why a hundredfold twice: exploding gradients grow by the same
    factor at each step, while a model that has learned to use one distant step has a peak there and no slope.

    The verdict applies to rows as long as those that were measured. For a trained model, vanishing may also mean that
    its outputs do not depend on distant steps.

    Attributes:
        norms: g_k for k = 0 … K-1.
        lag_90: the lag that contains 90 % of Σ g.
        survival: see above; NaN if g is 0 or not finite.
        reach: the largest lag at which g is at least 1/100 of the mean over the nearest tenth.
        verdict: see above.
        answers: how many outputs were measured.
    """

    norms: tuple[float, ...]
    lag_90: int
    survival: float
    reach: int
    verdict: Verdict
    answers: int

    @property
    def sentence(self) -> str:
        """The verdict, with its number and what to do."""
        farthest = len(self.norms) - 1
        if not any(self.norms):
            return "vanishing: no answer has a gradient at any step, so none depends on what the network reads"
        if self.verdict == "vanishing":
            begin = farthest + 1 - max(1, (farthest + 1) // _PART)
            lags = f"lags {begin}–{farthest}" if begin < farthest else f"lag {farthest}"
            left = (
                f"only {self.survival:.1g} of the recent steps' gradient"
                if self.survival > 0
                else "none of the gradient"
            )
            return f"vanishing: {left} reaches {lags}; steps more than {self.reach} back are not learned"
        if self.verdict == "exploding":
            return "exploding: the gradient grows with the lag; clip it, or start from smaller recurrent weights"
        share = f"{self.survival:.2g} of" if self.survival < 1 else f"{self.survival:.2g} times"
        return f"healthy: {share} the recent steps' gradient reaches {counted(farthest, 'step')} back"

    def chart(self) -> Chart:
        """The norms by the number of steps back, from 1, on logarithmic axes."""
        chart = Chart("gradient by lag", x="steps back, from 1", y="norm of the gradient", x_log=True, y_log=True)
        return chart.line(np.arange(1, len(self.norms) + 1), self.norms).mark(self.lag_90 + 1, "90 % of it")

    def _repr_html_(self) -> str:
        return cell("Memory horizon", sentences([self.sentence]), self.chart().to_svg())

    def __str__(self) -> str:
        within = f"90 % of the gradient is within {self.lag_90} steps"
        return "\n".join([_plot(self.norms), "", within, self.sentence])


def memory_horizon(network: Model, batches: Iterable[Asked], lags: int) -> Horizon:
    """Measure the memory horizon of ``network`` by autograd on its embedded input; its weights do not change.

    Args:
        network: any model, trained or not. For a bidirectional model, only the steps before the output are measured.
        batches: inputs and losses.
        lags: K ≥ 2, the largest number of lags; shorter rows contribute only the lags that they have.

    Raises:
        UsageError: ``lags`` below 2, or the model has no gradient or writes sequences, or the input has no time axis.
        DataError: no row has two steps.
    """
    if lags < 2:
        raise UsageError(f"{named('lags')} must be at least 2, got {lags}")
    if network.writes and network.layer is not None:
        raise UsageError(
            "how far back a model reaches can only be measured for a single network; this model is an encoder–decoder"
        )
    if network.columns is None:
        raise UsageError(f"memory only works with a network; this model is the {network.title}, which is solved")
    if not network.columns.timed:
        raise UsageError("this model reads only one step per row, so it has no memory to measure")
    total, count, answers = torch.zeros(lags, dtype=torch.float64), torch.zeros(lags, dtype=torch.float64), 0
    with without_dropout(network):
        for asked in batches:
            norms = _norms(network, asked)  # (B, T)
            lag = asked.lengths[:, None] - 1 - torch.arange(norms.shape[1])
            known = (lag >= 0) & (lag < lags)
            total.index_add_(0, lag[known], norms[known])
            count.index_add_(0, lag[known], torch.ones_like(norms[known]))
            answers += len(norms)
    measured = int((count > 0).sum())
    if measured < 2:
        raise DataError("every row has fewer than two steps, so there is no lag to measure")
    return _judge((total[:measured] / count[:measured]).tolist(), answers)


def asked_of(task: Task, examples: Examples, lags: int | None) -> tuple[Iterator[Asked], int]:
    """(batches, K) from data of a trained model: outputs spread evenly over it, each with the steps before it."""
    steps = examples.form.plans.questions(examples.steps())
    rows = np.arange(len(steps))
    if examples.horizon:
        lags = task.batching.lookback if lags is None else lags
        rows, ends = examples.window_ends()
    else:
        lags = int(min(_LONGEST, steps.max(initial=2))) if lags is None else lags
        ends = steps
        if not task.pooled:  # an output needs all lags before it, or its whole row if that is shorter
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
    """At most `_TARGETS` evenly spaced numbers of 0 … count - 1."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, _TARGETS)).astype(np.int64))


def _norms(network: Model, asked: Asked) -> Tensor:
    """(B, T): ‖∂L/∂x_t‖ over all columns with a time axis."""
    inputs = InputLeaves(network)
    with torch.enable_grad(), watching(Recorder(network, keep=lambda _: False, change=inputs), inside=False):
        outputs, _ = network(asked.inputs, asked.lengths)
        gradients = torch.autograd.grad(asked.loss(outputs), list(inputs.leaves.values()))  # (B, T, E) of each column
    return inputs.norms(dict(zip(inputs.leaves, gradients, strict=True)))[""]


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
    """Draw a bar for the mean of each band of lags, on a logarithmic scale; each band is twice as wide as the last."""
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
    lines = [f"{'lag k':<{width}}  ‖∂L_t/∂x_t-k‖, logarithmic: each █ is a factor of {10 ** (1 / decade):.2g}"]
    for name, mean, log in zip(names, means, logs, strict=True):
        length = _BAR if not math.isfinite(mean) else round(decade * max(0.0, log - lowest + 1)) if mean > 0 else 0
        lines.append(f"{name:<{width}}  {mean:<9.2g} {'█' * length}".rstrip())
    return "\n".join(lines)
