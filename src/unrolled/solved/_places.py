"""Groups of neighbouring letters by their place in a row, and the weights of a linear model of them.

Axes: N rows, T steps, M groups of a row, L places, G longest group, F weights, P problems, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from unrolled.solved._ridge import heat_of

__all__ = ["Answer", "Groups", "fit_places"]

Answer = Literal["label", "set", "number"]

_WIDTHS = (0, 2, 5)  # how far a weight reaches to its neighbours
# C as in scikit-learn, of features whose squares add up to about 1; the width is chosen with the first
_PENALTIES = (10.0, 3.0, 30.0, 100.0)
_FOLDS, _STEPS, _LAST_STEPS = 3, 25, 60


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of 1 to G letters that end at each of L places; a letter is a number from 1, 0 stands for none.

    Attributes:
        letters: how many letters there are.
        places: L.
        longest: G.
    """

    letters: int
    places: int
    longest: int

    @property
    def sizes(self) -> list[int]:
        """The different groups of each length."""
        return [(self.letters + 1) ** length for length in range(1, self.longest + 1)]

    @property
    def size(self) -> int:
        """F, and with it the number that stands for no group."""
        return self.places * sum(self.sizes)

    def numbers(self, ids: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, G) int64: the number of each group that ends at the last T steps of ``ids``.

        Args:
            ids: (N, G − 1 + T) the letters.
            steps: (N,) the steps before the last T.
            lengths: (N,) how many of these are real.
        """
        new = ids.shape[1] - self.longest + 1
        step = torch.arange(new, device=ids.device)
        place = steps[:, None] + step  # (N, T)
        read = (step < lengths[:, None]) & (place < self.places)
        found, code, first = [], torch.zeros_like(place), 0
        for length, size in enumerate(self.sizes):
            begin = self.longest - 1 - length
            code = code + ids[:, begin : begin + new] * (self.letters + 1) ** length
            found.append(torch.where(read, first + place * size + code, self.size))
            first += self.places * size
        return torch.stack(found, 2)


def fit_places(
    groups: Groups, numbers: Tensor, target: Tensor, outputs: int, answer: Answer, seed: int
) -> tuple[Tensor, Tensor]:
    r"""The weights (F, O) and the bias (O,) of a linear model, whose answer sums up the weights of a row's groups.

    .. math:: w_{p} = \sum_{|d| \le s} \Bigl(1 - \frac{|d|}{s + 1}\Bigr) v_{p + d}

    The weight of a group at a place is a mean of free weights v of the same group at the places around it. These
    minimise the mean loss plus a penalty on their squares. How far a weight reaches, s of 0, 2 or 5, and the penalty
    are chosen by cross-validation; a temperature on the left-out outputs makes probabilities fair.

    Args:
        groups: what the numbers mean.
        numbers: (N, M) int64, the groups of each row.
        target: (N,) int64 labels, (N, O) with 1 for each label of a set, or (N, O) numbers.
        outputs: O.
        answer: what the targets are.
        seed: for the folds.

    Cost: at most 210 steps of L-BFGS with O(N M O + F L O) each, for three folds at once.

    References:
        Rätsch and Sonnenburg 2004, groups by place with shifts. https://doi.org/10.7551/mitpress/4057.003.0017
    """
    problem = _Problem(groups, _Transposed.of(numbers, groups.size), target, answer, outputs)
    folds = torch.from_numpy(np.random.default_rng(seed).permutation(len(numbers)) % _FOLDS)
    kept = (folds[:, None] != torch.arange(_FOLDS)).float()  # (N, P)
    tried: dict[tuple[int, float], tuple[float, Tensor]] = {}

    def score(width: int, penalty: float) -> float:
        if (width, penalty) not in tried:
            found = problem.solve(kept, width, penalty, _STEPS)
            left_out = problem.outputs_of(*found)[torch.arange(len(folds)), folds]  # (N, O)
            tried[width, penalty] = float(_losses(left_out, target, answer).mean()), left_out
        return tried[width, penalty][0]

    width = min(_WIDTHS, key=lambda one: score(one, _PENALTIES[0]))
    penalty = min(_PENALTIES, key=lambda one: score(width, one))
    weight, bias = problem.solve(torch.ones(len(numbers), 1), width, penalty, _LAST_STEPS)
    heat = 1.0 if answer == "number" else heat_of(tried[width, penalty][1], target)
    return weight * heat, bias[0] * heat


class _Transposed(NamedTuple):
    """The groups of all rows, (N, M), and the rows of all groups: f is in ``rows[offsets[f]:offsets[f + 1]]``."""

    numbers: Tensor
    rows: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, numbers: Tensor, size: int) -> Self:
        flat = numbers.flatten()
        order = torch.argsort(flat, stable=True)
        ends = torch.bincount(flat, minlength=size + 1).cumsum(0)
        return cls(
            numbers, order[: ends[size - 1]] // numbers.shape[1], torch.cat([ends.new_zeros(1), ends[: size - 1]])
        )


@dataclass(frozen=True, slots=True)
class _Problem:
    """P linear models at once, each with the rows of its own that it is solved from."""

    groups: Groups
    held: _Transposed
    target: Tensor
    answer: Answer
    outputs: int

    def solve(self, kept: Tensor, width: int, penalty: float, steps: int) -> tuple[Tensor, Tensor]:
        """The weights (F, P O) and the biases (P, O), from the rows that ``kept`` (N, P) has at 1."""
        problems = kept.shape[1]
        free = torch.zeros(self.groups.size, problems * self.outputs)
        bias = torch.zeros(problems, self.outputs)
        shares = (kept / kept.sum(0))[..., None]
        shrink = 1 / (penalty * float(kept.sum(0).mean()))
        spread = self._spread(width)
        optimiser = torch.optim.LBFGS([free, bias], max_iter=steps, history_size=8, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            with torch.enable_grad():
                outputs = self.outputs_of(spread(free), bias).requires_grad_()
                value = (_losses(outputs, self.target, self.answer) * shares[..., 0]).sum()
                (slopes,) = torch.autograd.grad(value, outputs)  # (N, P, O)
            held = functional.embedding_bag(self.held.rows, slopes.flatten(1), self.held.offsets, mode="sum")
            free.grad = spread(held) + shrink * free  # the map is its own transpose
            bias.grad = slopes.sum(0)
            return value.detach() + 0.5 * shrink * free.square().sum()

        optimiser.step(loss)  # type: ignore[no-untyped-call]
        return spread(free), bias

    def outputs_of(self, weight: Tensor, bias: Tensor) -> Tensor:
        """(N, P, O), from weights (F, P O) and biases (P, O)."""
        padded = torch.cat([weight, weight.new_zeros(1, weight.shape[1])])  # the number F counts for nothing
        return functional.embedding_bag(self.held.numbers, padded, mode="sum").view(-1, *bias.shape) + bias

    def _spread(self, width: int) -> Callable[[Tensor], Tensor]:
        """From free weights to weights, (F, …) both; symmetric."""
        groups = self.groups
        place = torch.arange(groups.places)
        reach = (1 - (place[:, None] - place).abs() / (width + 1)).clamp_min(0)  # (L, L)
        reach = reach / (groups.longest * reach.square().sum()).sqrt()
        shares = [groups.places * size for size in groups.sizes]

        def spread(free: Tensor) -> Tensor:
            parts = [(reach @ part.view(groups.places, -1)).view(part.shape) for part in torch.split(free, shares)]
            return torch.cat(parts)

        return spread


def _losses(outputs: Tensor, target: Tensor, answer: Answer) -> Tensor:
    """The loss of each row: (N, P, O) -> (N, P), or (N, O) -> (N,)."""
    if outputs.dim() == 2:
        return _losses(outputs[:, None], target, answer)[:, 0]
    if answer == "label":
        wanted = target[:, None].expand(outputs.shape[:2])
        return functional.cross_entropy(outputs.transpose(1, 2), wanted, reduction="none")
    wanted = target[:, None].expand_as(outputs)
    if answer == "set":
        return functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").sum(2)
    return 0.5 * (outputs - wanted).square().sum(2)
