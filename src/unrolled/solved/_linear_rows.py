"""Logistic and ridge regression on sparse rows, with the penalty chosen by cross-validation.

Axes: R rows, F features, P folds, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.solved._lbfgs import minimise
from unrolled.solved._sparse_rows import SparseRows

__all__ = ["Answer", "LinearFit", "fit_linear"]

Answer = Literal["label", "set", "number"]

_SMALLEST = {False: 1.0, True: 0.25}  # the smallest C, as in scikit-learn; True: of features times ratios
_TRIED, _FACTOR = 5, 4.0  # values of C at most, each a multiple of the one before
_FOLDS, _STEPS, _TOLERANCE = 5, 30, 3e-4
_LARGEST = 4_000_000  # weights of all folds that are solved at once
_LONG = 30_000_000  # nonzeros times outputs from which there are fewer folds


class LinearFit(NamedTuple):
    """A linear model of sparse rows: outputs = x W + b.

    Attributes:
        weight: (F, K) float32.
        bias: (K,) float32.
        c: the chosen inverse of the penalty.
        ratios: whether the features were scaled by their log-count ratios.
        score: the score of the left-out rows; higher is better.
    """

    weight: Tensor
    bias: Tensor
    c: float
    ratios: bool
    score: float


@dataclass(frozen=True, slots=True)
class _Problem:
    """The mean loss of the rows of each fold plus a penalty, as a function of all weights, (P, (F + 1) K)."""

    rows: SparseRows
    columns: SparseRows  # the same matrix by columns
    target: Tensor  # (R,) int64 labels, else (R, K) float32
    weights: Tensor  # (R, P) float32, of each row in each fold; they sum to 1
    answer: Answer
    scale: Tensor | None  # (F, P K), of the features
    penalty: float

    def outputs(self, x: Tensor) -> Tensor:
        """(R, P, K): what each fold's model answers for every row."""
        x = x.view(len(x), self.rows.size + 1, -1).transpose(0, 1)  # (F + 1, P, K)
        weight = x[:-1].flatten(1)
        return self.rows.times(weight if self.scale is None else weight * self.scale).view(-1, *x.shape[1:]) + x[-1]

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        losses, slopes = _losses(self.outputs(x), self.target, self.answer)
        slopes *= self.weights[..., None]
        weight = self.columns.times(slopes.flatten(1))  # (F, P K)
        if self.scale is not None:
            weight *= self.scale
        gradient = torch.cat([weight, slopes.sum(0).view(1, -1)]).view(self.rows.size + 1, len(x), -1)
        gradient = gradient.transpose(0, 1).reshape(x.shape)
        free = x[:, : -slopes.shape[2]]  # the bias has no penalty
        gradient[:, : free.shape[1]].add_(free, alpha=self.penalty)
        size = torch.stack([torch.dot(one, one) for one in free]).double()
        return (losses * self.weights).sum(0, dtype=torch.float64) + 0.5 * self.penalty * size, gradient


def _losses(outputs: Tensor, target: Tensor, answer: Answer) -> tuple[Tensor, Tensor]:
    """The loss (R, P) of each row in each fold, and its gradient (R, P, K) with respect to the outputs."""
    if answer == "label":
        logs = torch.log_softmax(outputs, -1)
        at = target[:, None, None].expand(-1, outputs.shape[1], 1)
        slopes = logs.exp()
        return -logs.gather(2, at)[..., 0], slopes.scatter_add_(2, at, -torch.ones_like(at, dtype=slopes.dtype))
    wanted = target[:, None].expand_as(outputs)
    if answer == "set":
        losses = F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").sum(-1)
        return losses, torch.sigmoid(outputs) - wanted
    return 0.5 * (outputs - wanted).square().sum(-1), outputs - wanted


def fit_linear(
    rows: SparseRows,
    target: Tensor,
    outputs: int,
    answer: Answer,
    score: Callable[[Tensor, Tensor], float],
    *,
    balanced: bool,
    seed: int,
    smallest: float | None = None,
) -> LinearFit:
    r"""Fit a linear model; its penalty, and whether features are scaled, are those of the best left-out predictions.

    .. math:: \frac1R \sum_r w_{y_r} \ell(x_r (r \odot W) + b, y_r) + \frac{1}{2 C R} \lVert W \rVert^2

    Each feature is as it is, or multiplied by its log-count ratio :math:`r_{fk}`, the logarithm of how much more often
    it occurs in rows with label k. A temperature on the left-out outputs of logistic models then scales W and b, so
    that probabilities are neither too sure nor too careful.

    Args:
        rows: the features of R rows with a known target.
        target: (R,) int64 labels, (R, K) float32 with 1 for each label of a set, or (R, K) numbers.
        outputs: K.
        answer: what the targets are.
        score: of the outputs (R, K) for left-out rows and the target; higher is better.
        balanced: rows of each label have the same weight together.
        seed: for the folds.
        smallest: the smallest C that is tried, for features that have no log-count ratios; ``None``: the usual one.

    Cost: at most 15 · 30 steps of `minimise`, each with two products of the matrix and K · 5 columns.

    References:
        Wang and Manning, Baselines and Bigrams, 2012 (log-count ratios). https://aclanthology.org/P12-2018
        Guo et al., On Calibration, 2017 (temperature). https://arxiv.org/abs/1706.04599
    """
    columns, count = rows.transposed(), len(target)
    each = _row_weights(target, outputs) if balanced and answer == "label" else torch.ones(count)
    whole = _Problem(rows, columns, target, (each / each.sum())[:, None], answer, None, 1.0)
    folds = _folds(target, answer, count, 3 if len(rows.ids) * outputs > _LONG else _FOLDS, seed)
    best, left_out = (-np.inf, smallest or _SMALLEST[False], False), torch.zeros(count, outputs)
    if int(folds.max(initial=0)) > 0:
        for ratios in (False,) if answer == "number" or smallest else (False, True):
            top = -np.inf
            for c, found in _left_out(whole, each, folds, outputs, ratios, smallest):
                now = score(found, target)
                if now > best[0] + 1e-9:
                    best, left_out = (now, c, ratios), found
                if now < top:  # larger values of C only learn the rows by heart
                    break
                top = now
    value, c, ratios = best
    scale = _ratios(whole, torch.ones(count, 1), outputs) if ratios else None
    x = torch.zeros(1, (rows.size + 1) * outputs)
    for tried in _path(
        ratios, smallest
    ):  # as the left-out models were fitted, or their temperature would not fit this one
        x = minimise(replace(whole, scale=scale, penalty=1 / (tried * max(1, count))), x, _STEPS, _TOLERANCE)
        if tried == c:
            break
    x = x.view(-1, outputs)
    weight = x[:-1] if scale is None else x[:-1] * scale
    heat = 1.0 if answer == "number" or value == -np.inf else _temperature(left_out, target, answer)
    return LinearFit(weight / heat, x[-1] / heat, c, ratios, float(value))


def _left_out(
    whole: _Problem, each: Tensor, folds: np.ndarray, outputs: int, ratios: bool, smallest: float | None
) -> Iterator[tuple[float, Tensor]]:
    """C, from the smallest, and (R, K) the outputs for each row of the model that was fitted without the row's fold."""
    last, together = int(folds.max()) + 1, max(1, _LARGEST // ((whole.rows.size + 1) * outputs))
    parts: list[_Problem] = []
    for first in range(0, last, together):
        kept = torch.from_numpy(folds[:, None] != np.arange(first, min(last, first + together))).float()  # (R, P)
        weights = kept * each[:, None]
        scale = _ratios(whole, kept, outputs) if ratios else None
        parts.append(replace(whole, weights=weights / weights.sum(0), scale=scale))
    solved = [torch.zeros(part.weights.shape[1], (whole.rows.size + 1) * outputs) for part in parts]
    for c in _path(ratios, smallest):
        found, first = torch.zeros(len(folds), outputs), 0
        for at, part in enumerate(parts):
            penalty = last / (c * len(folds) * max(1, last - 1))
            solved[at] = minimise(replace(part, penalty=penalty), solved[at], _STEPS, _TOLERANCE)  # on from the last C
            own = np.flatnonzero((folds >= first) & (folds < first + len(solved[at])))
            found[own] = part.outputs(solved[at])[own, folds[own] - first]
            first += len(solved[at])
        yield c, found


def _path(ratios: bool, smallest: float | None) -> list[float]:
    """The values of C, from the smallest; each model starts from the one before."""
    return [(smallest or _SMALLEST[ratios]) * _FACTOR**index for index in range(_TRIED)]


def _ratios(whole: _Problem, kept: Tensor, outputs: int) -> Tensor:
    """(F, P K): the log-count ratio of each feature and label, counted over the rows that each fold keeps."""
    hot = F.one_hot(whole.target, outputs).float() if whole.answer == "label" else whole.target
    present = SparseRows(
        whole.columns.ids, np.ones_like(whole.columns.values), whole.columns.offsets, whole.columns.size
    )

    def counted(rows: Tensor) -> Tensor:
        counts = 1 + present.times((kept[..., None] * rows[:, None]).flatten(1))
        return (counts / counts.sum(0)).log()

    return counted(hot) - counted(1 - hot)


def _row_weights(target: Tensor, outputs: int) -> Tensor:
    """(R,): the weight of each row, so that each label that occurs has the same weight altogether."""
    counts = torch.bincount(target, minlength=outputs)
    return (len(target) / (counts.clamp_min(1) * (counts > 0).sum()))[target]


def _folds(target: Tensor, answer: Answer, count: int, folds: int, seed: int) -> np.ndarray:
    """(R,) the fold of each row, drawn at random, with nearly the same share of each label in each; 0 without folds."""
    order = np.random.default_rng(seed).permutation(count)
    if answer == "label":
        order = order[np.argsort(target.numpy()[order], kind="stable")]
    found = np.zeros(count, np.int64)
    if count >= 2 * folds:
        found[order] = np.arange(count) % folds
    return found


def _temperature(outputs: Tensor, target: Tensor, answer: Answer) -> float:
    """The number by which the outputs are divided for the lowest loss."""
    heats = torch.logspace(-1, 1, 81, base=4.0).tolist()
    losses = [float(_losses(outputs[:, None] / heat, target, answer)[0].mean()) for heat in heats]
    return float(heats[int(np.argmin(losses))])
