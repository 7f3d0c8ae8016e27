"""Fitting a tagger on sparse features of steps: a chain of labels, or a softmax at each step.

Axes: R rows, N steps of all rows, F features, K labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from unrolled.baselines._arrays import asked_values, target_of
from unrolled.batch import MISSING, Batch
from unrolled.data.examples.examples import Examples
from unrolled.layers.crf import FORBIDDEN
from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import added, values
from unrolled.solved._chain import Packed, chain_nats, packed
from unrolled.solved._lbfgs import minimise
from unrolled.solved._sparse_rows import SparseRows
from unrolled.tasks.task import Task

__all__ = ["fit_tagger"]

_PENALTIES = (1.0, 6.0)  # C, as in scikit-learn
_SHIFTS = (0.0, 0.5, 1.0, 1.5)  # nats
_FOLDS, _ROUNDS, _LAST_ROUNDS = 3, 40, 100
_LONG = 100_000  # steps from which one fold only is left out
_AT_ONCE = 64  # rows judged at a time


@dataclass(frozen=True, slots=True)
class _Fit:
    """The mean loss of labelled steps plus a penalty, as a function of the weights (1, (F + K + 1) K).

    Attributes:
        rows: the features of each step, in the order of ``steps``.
        columns: the same matrix by columns.
        target: (N,) int64, `MISSING` where a label is not known or not asked.
        steps: the pieces of rows.
        forbidden: (K + 1, K) bool, the transitions that no path takes; ``None``: there is no chain.
        labels: K.
        penalty: of the squares of all weights.
        path: where all labels are known, (N, K) which label each step has, and (K + 1, K) how often each follows each.
    """

    rows: SparseRows
    columns: SparseRows
    target: Tensor
    steps: Packed
    forbidden: Tensor | None
    labels: int
    penalty: float
    path: tuple[Tensor, Tensor] | None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights = x.view(-1, self.labels)
        emissions = self.rows.times(weights[: self.rows.size])
        known = self.target != MISSING
        count = max(1, int(known.sum()))
        if self.forbidden is None:
            nats, slopes, moves = self._separate(emissions + weights[-1], known)
        else:
            nats, slopes, moves = self._chained(emissions, weights[self.rows.size :], known)
        gradient = torch.cat([self.columns.times(slopes.float()), moves.float()]) / count
        value = nats / count + 0.5 * self.penalty * float(torch.dot(x[0], x[0]))
        return x.new_full((1,), value, dtype=torch.float64), (gradient.flatten() + self.penalty * x[0])[None]

    def _separate(self, outputs: Tensor, known: Tensor) -> tuple[float, Tensor, Tensor]:
        logs = torch.log_softmax(outputs, 1)
        slopes = torch.where(known[:, None], logs.exp(), 0.0)
        wanted = self.target[known]
        nats = -logs[known].gather(1, wanted[:, None]).double().sum()
        slopes[known] -= functional.one_hot(wanted, self.labels).to(slopes.dtype)
        moves = torch.zeros(self.labels + 1, self.labels)
        moves[-1] = slopes.sum(0)
        return float(nats), slopes, moves

    def _chained(self, emissions: Tensor, transitions: Tensor, known: Tensor) -> tuple[float, Tensor, Tensor]:
        assert self.forbidden is not None
        transitions = transitions.masked_fill(self.forbidden, FORBIDDEN)
        free, chances, counts = chain_nats(emissions, transitions, None, self.steps)
        if self.path is None:
            right, hits, moves = chain_nats(emissions, transitions, _allowed(self.target, self.labels), self.steps)
        else:
            hits, moves = self.path
            right = float((emissions * hits).sum(dtype=torch.float64) + (transitions * moves).sum(dtype=torch.float64))
        return free - right, chances - hits, (counts - moves).masked_fill(self.forbidden, 0.0)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of a split: their features, their targets, and where each row begins."""

    task: Task
    features: SparseRows
    target: np.ndarray  # (N,) int64, `MISSING` where a label is not asked
    offsets: np.ndarray  # (R + 1,)
    forbidden: Tensor | None

    def fit(self, kept: np.ndarray, penalties: tuple[float, ...], rounds: int, tolerance: float) -> list[Tensor]:
        """For each C, from the smallest, the weights (F + K + 1, K) that fit the rows ``kept``."""
        lengths = np.diff(self.offsets)[kept]
        steps, labels = packed(lengths), len(self.task.labels)
        place = self._places(kept)[steps.order]
        rows, target = self.features.take(place), torch.from_numpy(self.target[place])
        columns, count, path = rows.transposed(), max(1, int((target != MISSING).sum())), None
        if self.forbidden is not None and bool((target != MISSING).all()):
            none = torch.zeros(len(target) + labels + 1, labels)
            path = chain_nats(none[: len(target)], none[len(target) :], _allowed(target, labels), steps)[1:]
        x, found = torch.zeros(1, (rows.size + labels + 1) * labels), []
        for c in penalties:
            problem = _Fit(rows, columns, target, steps, self.forbidden, labels, 1 / (c * count), path)
            x = minimise(problem, x, rounds, tolerance)
            found.append(x.view(-1, labels))
        return found

    def _places(self, rows: np.ndarray) -> np.ndarray:
        """The steps of ``rows``, end to end."""
        lengths = np.diff(self.offsets)[rows]
        ends = np.cumsum(lengths)
        return np.repeat(self.offsets[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())

    def judge(self, total: Sums, left_out: np.ndarray, weights: Tensor, bias: Tensor) -> Sums:
        """``total`` with what the metrics need of the answers for the rows ``left_out``."""
        rows = left_out[np.argsort(np.diff(self.offsets)[left_out], kind="stable")]
        for first in range(0, len(rows), _AT_ONCE):
            some = rows[first : first + _AT_ONCE]
            lengths, places = np.diff(self.offsets)[some], self._places(some)
            scores = (self.features.take(places).times(weights)[:, None] + bias).flatten(1)
            outputs = scores.new_zeros(len(some), int(lengths.max(initial=0)), scores.shape[1])
            target = torch.full(outputs.shape[:2], MISSING)
            real = torch.arange(outputs.shape[1]) < torch.from_numpy(lengths)[:, None]
            outputs[real], target[real] = scores, torch.from_numpy(self.target[places])
            batch = Batch({}, torch.from_numpy(lengths), torch.arange(len(some)), target)
            total = added(total, self.task.judge(outputs, batch))
        return total


def _allowed(target: Tensor, labels: int) -> Tensor:
    """(N, K) bool: the labels that a step may have, given what is known of it."""
    return (target == MISSING)[:, None] | (torch.arange(labels) == target[:, None])


def fit_tagger(task: Task, train: Examples, features: SparseRows, seed: int) -> tuple[Tensor, Tensor]:
    """The weights (F, K), and the transitions (K + 1, K) of a chain or the bias (1, K), that fit the labelled steps.

    The penalty is that of the best answers for left-out rows. Where the task is judged by an F1 score, the score of the
    commonest label is lowered as far as that makes them better: otherwise rare labels are found too seldom.

    Args:
        task: what is predicted.
        train: the training split.
        features: of each of its steps.
        seed: for the rows that are left out.

    Cost: at most 3 · 80 + 100 steps of `minimise`, each with two products of the matrix and two passes over the chain.
    """
    lengths, asked = train.steps(), asked_values(train)
    target = np.full(len(features.offsets) - 1, MISSING, np.int64)
    target[asked] = target_of(train).values[asked]
    steps = _Steps(task, features, target, np.concatenate([[0], np.cumsum(lengths)]), _forbidden(task, train))
    c, shift = _chosen(steps, int(np.bincount(target[asked]).argmax()), seed)
    (weights,) = steps.fit(np.arange(len(lengths)), (c,), _LAST_ROUNDS, 1e-5)
    bias = _bias(steps, weights)
    bias[:, int(np.bincount(target[asked]).argmax())] -= shift
    return weights[: features.size], bias


def _bias(steps: _Steps, weights: Tensor) -> Tensor:
    if steps.forbidden is None:
        return weights[-1:].clone()
    return weights[steps.features.size :].masked_fill(steps.forbidden, FORBIDDEN)


def _chosen(steps: _Steps, commonest: int, seed: int) -> tuple[float, float]:
    """C, and by how much the score of the commonest label is lowered."""
    rows = len(steps.offsets) - 1
    fold = np.random.default_rng(seed).permutation(rows) % _FOLDS
    if rows < 2 * _FOLDS:
        return _PENALTIES[0], 0.0
    shifts = _SHIFTS if "f1" in steps.task.chooses else _SHIFTS[:1]
    sums = {(c, shift): Sums() for c in _PENALTIES for shift in shifts}
    for out in range(1 if len(steps.target) > _LONG else _FOLDS):
        found = steps.fit(np.flatnonzero(fold != out), _PENALTIES, _ROUNDS, 3e-4)
        for c, weights in zip(_PENALTIES, found, strict=True):
            for shift in shifts:
                bias = _bias(steps, weights)
                bias[:, commonest] -= shift
                own = np.flatnonzero(fold == out)
                sums[c, shift] = steps.judge(sums[c, shift], own, weights[: steps.features.size], bias)
    name = steps.task.chooses
    return min(sums, key=lambda key: cost(name, values(sums[key]).get(name, 0.0)))


def _forbidden(task: Task, train: Examples) -> Tensor | None:
    """(K + 1, K) bool: the transitions that the task rules out."""
    if not task.chain:
        return None
    prior = task.measure_training(train).prior
    assert prior is not None
    return prior.view(len(task.labels) + 1, -1) <= FORBIDDEN
