"""The context curve: the loss of the same answers when only the last k steps are given, and how many steps help.

Axes: N answers, K numbers of steps, B rows, T steps.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.errors import DataError, UsageError, counted, named
from unrolled.models.model import Model
from unrolled.page.chart import Chart
from unrolled.page.notebook import cell, sentences
from unrolled.tasks.task import Task

__all__ = ["Context", "context_curve"]

_LONGEST = 1_000  # steps
_ANSWERS = 256
_LEAST = 20  # answers of which a standard error says something
_BATCH = 32
_NEAR = 0.02  # of what context gains
_SURE = 2.0  # standard errors


@dataclass(frozen=True, slots=True)
class Context:
    r"""The mean loss L(k) of the same answers with only the last k steps given, from the initial state, and a verdict.

    ::

        useful = the least k with L(k) ≤ min L + 0.02 (L(1) − min L)
        gain   = L(1) − L(best),  harm = L(longest) − L(best),  each paired over the answers

    To pick the best k and to measure its lead on the same answers would find one in noise too. So for gain and harm,
    each half of the answers is measured against the k that is best on the other half. Context helps, or hurts, if the
    difference is more than two standard errors. Harm must also be more than the 0.02 (L(1) - min L) that ``useful``
    gives away: over many answers, one much too small to matter is sure as well. If context hurts, ``limit`` is the
    largest k that is not worse than the best one in the same sense.

    Attributes:
        given: k = 1, 2, 3, 5, 8 … up to the longest.
        losses, errors: L(k), and its standard error.
        answers: N.
        best: the k of the lowest loss.
        useful: see above; 1 where context does not help.
        limit: see above; ``None`` where context does not hurt.
        gain, gain_error, harm, harm_error: see above, with standard errors.
        measure: what the loss is, as in the metrics of the model.
        trained: on how long sequences it was trained, and how to train on longer ones.
    """

    given: tuple[int, ...]
    losses: tuple[float, ...]
    errors: tuple[float, ...]
    answers: int
    best: int
    useful: int
    limit: int | None
    gain: float
    gain_error: float
    harm: float
    harm_error: float
    measure: str
    trained: str

    @property
    def sentence(self) -> str:
        """The verdict, with its numbers and what to do."""
        at = {k: f"{loss:.4g}" for k, loss in zip(self.given, self.losses, strict=True)}
        longest, best, of = self.given[-1], self.best, f"over {self.answers} answers"
        if self.answers < _LEAST:
            known = counted(self.answers, "answer is", "answers are")
            return f"only {known} known, too few to tell how much context helps: give at least {_LEAST}"
        if self.limit is not None:
            return (
                f"worse beyond {self.limit:,} steps: {self.measure} is {at[longest]} with {longest:,} steps and "
                f"{at[best]} with {best:,}, a difference of {self.harm:.2g} ± {self.harm_error:.1g} {of}; give at most "
                f"{self.limit:,} steps, or start from a fresh state every {self.limit:,}; {self.trained}"
            )
        if self.useful > 1:
            return (
                f"the last {self.useful:,} steps are enough: {self.measure} is {at[self.useful]} with them, {at[1]} "
                f"with one step and {at[best]} at best, with {best:,} of {longest:,}, {of}; more steps gain little"
            )
        return (
            f"more than the last step makes no sure difference: {self.measure} is {at[1]} with one step and {at[best]} "
            f"at best, with {best:,} of {longest:,}, {of}; the answers need no memory, or it was not learned"
        )

    def chart(self) -> Chart:
        """The mean loss by the steps that are given, with its standard error."""
        losses, errors = np.array(self.losses), np.array(self.errors)
        chart = Chart("loss by context", x="steps that are given", y=self.measure, x_log=True)
        chart.line(self.given, losses, "mean loss").band(self.given, losses - errors, losses + errors, "± its error")
        return chart.mark(self.best, "best")

    def _repr_html_(self) -> str:
        return cell("Context", sentences([self.sentence]), self.chart().to_svg())


def context_curve(network: Model, task: Task, examples: Examples, window: int | None = None) -> Context:
    """Measure how much context helps, on at most 256 answers that are spread evenly over ``examples``.

    With an answer for each step, the longest context is one that a quarter of the answers have, and 256 of them, or
    half where there are fewer than 512; only these are measured. With an answer for each row, a row that is shorter
    than k is given whole. No context is longer than 1 000 steps, a forecast's lookback, or what the model reads.

    Args:
        network, task: the model; dropout is off.
        examples: the data, with its target.
        window: the steps of the windows that it was trained in, which the verdict says; ``None``: whole sequences.

    Raises:
        UsageError: the model reads both ways or is no network, or its task has no loss of a single step or row.
        DataError: no row has two steps, or no answer is known.

    Cost: about 2.6 times the answers read with the longest context.
    """
    if (why := _cannot(network, task, examples)) is not None:
        raise UsageError(why)
    rows, ends, longest = _asked(task, examples, network.longest_read)
    given = _ladder(longest)
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            curves = [list(_losses(network, task, Loader(examples, Windows(rows, ends, k, _BATCH)))) for k in given]
    finally:
        network.train(training)
    losses = np.array(curves, np.float64).T  # (N, K)
    losses = losses[np.isfinite(losses).all(1)]
    if not len(losses):
        raise DataError("no answer is known, so there is no loss to measure")
    return _judge(given, losses, task.watch, _trained(examples, window))


def _cannot(network: Model, task: Task, examples: Examples) -> str | None:
    form = examples.form
    if form.writes or form.own_length:
        return "the answer is a written sequence, which has no loss of a single step"
    if network.columns is None:
        return f"this model is the {network.title}, which is solved: only a network learns how much context to use"
    if not network.columns.timed:
        return "this model reads only one step per row"
    if not network.causal:
        return "this model reads every sequence in both directions, so there is no last step"
    if task.chain:
        return f"with {named('crf')} the labels of a row are judged together, not step by step"
    if form.continues and not form.predicts_next and not form.horizon:
        return "the task asks for hidden steps, which have context on both sides"
    if examples.by_window:
        return "each window of the forecast has its own scale, so losses of shorter ones cannot be compared"
    return None


def _asked(task: Task, examples: Examples, most: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """(N,) rows and (N,) the steps before each answer, spread evenly; the longest context."""
    count, most = examples.form.plans.questions, _LONGEST if most is None else min(most, _LONGEST)
    steps = count(examples.steps())
    if examples.horizon:
        longest = min(most, task.batching.lookback)
        rows, ends = examples.window_ends()
        full = ends >= longest
        rows, ends = (rows[full], ends[full]) if full.sum() >= _LEAST else (rows, ends)
        longest = min(longest, int(ends.max(initial=0)))
    elif task.pooled:
        longest = min(most, int(steps.max(initial=0)))
        rows = np.flatnonzero(steps > 0)
        ends = steps[rows]
    else:
        known = np.zeros_like(steps) if examples.first is None else count(examples.first)

        def having(k: int) -> np.ndarray:
            return np.maximum(steps - np.maximum(known, k - 1), 0)  # (rows,) the answers with k steps or more

        total = int(having(1).sum())
        enough = max(total / 4, min(total / 2, _ANSWERS))
        longest = bisect_right(range(1, most + 1), -enough, key=lambda k: -int(having(k).sum()))
        held = having(longest)
        rows = np.repeat(np.arange(len(steps)), held)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(held) - held, held)
        ends = np.maximum(known, longest - 1)[rows] + 1 + nth
    if longest < 2 or not len(rows):
        raise DataError("every row has fewer than two steps, so there is no context to leave out")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ANSWERS)).astype(np.int64))
    return rows[chosen], ends[chosen], longest


def _ladder(longest: int) -> tuple[int, ...]:
    """1, 2, 3, 5, 8 …, each the sum of the two before it, and at the end the longest.

    >>> _ladder(8), _ladder(100)
    ((1, 2, 3, 5, 8), (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 100))
    """
    given, following = [1], 2
    while following <= 0.9 * longest:
        given.append(following)
        following = sum(given[-2:])
    return (*given, longest)


def _losses(network: Model, task: Task, loader: Loader) -> Iterator[float]:
    """The loss of the answer at the end of each row; NaN where it is not known."""
    for batch in loader:
        asked = batch.to(str(network.device))
        outputs, _ = network.run(asked)
        ends = asked if task.pooled else replace(asked, scored=asked.lengths - 1)
        losses, counts = (found.reshape(len(asked.rows), -1).sum(1).double() for found in task.each(outputs, ends))
        yield from (losses / counts).tolist()


def _trained(examples: Examples, window: int | None) -> str:
    """How long the sequences of the training were, and how to train on longer ones."""
    if examples.horizon:
        return f"a larger {named('lookback')} does not help either"
    if not examples.form.plans.cuts:
        return "it was trained on whole rows"
    if window is None:
        return "it was trained on whole sequences"
    return f"it was trained in windows of {window:,} steps ({named('bptt')}): train with longer ones"


def _judge(given: tuple[int, ...], losses: np.ndarray, measure: str, trained: str) -> Context:
    mean, count = losses.mean(0), len(losses)
    best = int(mean.argmin())
    (gain, gain_error), (harm, harm_error) = _lead(losses, 0), _lead(losses, len(given) - 1)
    useful, limit, little = 1, None, _NEAR * float(mean[0] - mean[best])
    if count >= _LEAST and gain > _SURE * gain_error:
        near = mean <= mean[best] + little
        useful = given[int(near.argmax())]
    if count >= _LEAST and harm > max(_SURE * harm_error, little):
        differences = losses - losses[:, [best]]
        worse = differences.mean(0) > np.maximum(_SURE * _error(differences), little)
        largest = given[int(np.flatnonzero(~worse)[-1])]
        limit = largest if largest < given[-1] else None
    return Context(
        given=given,
        losses=tuple(mean.tolist()),
        errors=tuple(_error(losses).tolist()),
        answers=count,
        best=given[best],
        useful=useful,
        limit=limit,
        gain=gain,
        gain_error=gain_error,
        harm=harm,
        harm_error=harm_error,
        measure=measure,
        trained=trained,
    )


def _lead(losses: np.ndarray, at: int) -> tuple[float, float]:
    """How much worse column ``at`` is than the best, which the other half of the answers picks; with its error."""
    half = np.arange(len(losses)) % 2 == 0
    difference = np.zeros(len(losses))
    if len(losses) > 1:
        for mine in (half, ~half):
            picked = int(losses[~mine].mean(0).argmin())
            difference[mine] = losses[mine, at] - losses[mine, picked]
    return float(difference.mean()), float(_error(difference))


def _error(values: np.ndarray) -> np.ndarray:
    """The standard error of the mean over axis 0."""
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])
    return np.asarray(spread / math.sqrt(len(values)))
