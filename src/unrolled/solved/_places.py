"""Groups of neighbouring letters by their place in a row, and the weights of a linear model of them.

Axes: N rows, T steps, M groups of a row, L places, G longest group, F weights, P problems, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from unrolled.layers.graph import Value, concat, is_real, steps_of, where
from unrolled.solved._ridge import heat_of

__all__ = ["Answer", "Groups", "fit_places", "numbers_graph"]

Answer = Literal["label", "set", "number"]

_WIDTHS = (0, 2, 5)  # how far a weight reaches to its neighbours
# C as in scikit-learn, of features whose squares add up to about 1; the width is chosen with the first
_PENALTIES = (10.0, 3.0, 30.0, 100.0)
_FOLDS, _STEPS, _LAST_STEPS = 3, 25, 60
_FEW_ROWS, _FEW_STEPS = 1024, 40  # steps with few rows cost little
_RIDGE = 1e-8  # of a row's own sum


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


def numbers_graph(groups: Groups, ids: Value, steps: Value, lengths: Value) -> Value:
    """`Groups.numbers` as operators."""
    g, longest = ids.graph, groups.longest
    new = ids.part(longest - 1, ids.size(1), 1)
    place = steps.unsqueeze(1) + steps_of(new)  # (N, T)
    read = is_real(new, lengths) & (place < groups.places)
    found, code, first = list[Value](), place - place, 0
    for length, size in enumerate(groups.sizes):
        begin = longest - 1 - length
        code = code + ids.part(begin, new.size(1) + begin, 1) * (groups.letters + 1) ** length
        found.append(where(read, place * size + code + first, g.constant(np.int64(groups.size))).unsqueeze(2))
        first += groups.places * size
    return concat(found, 2)


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
        numbers: (N, M) int64, the groups of each row, place by place and at each from the shortest to the longest.
        target: (N,) int64 labels, (N, O) with 1 for each label of a set, or (N, O) numbers.
        outputs: O.
        answer: what the targets are.
        seed: for the folds.

    Cost: at most 210 steps of L-BFGS with O(N M O + F L O) each, for three folds at once; with at most 1 024 rows 300
    steps with O(N² O) each, and before them three decompositions with O(N² M + N³).

    References:
        Rätsch and Sonnenburg 2004, groups by place with shifts. https://doi.org/10.7551/mitpress/4057.003.0017
    """
    held = _Transposed.of(numbers, groups.size)
    few = len(numbers) <= min(_FEW_ROWS, groups.size)
    features = {width: _features(groups, held, width, few) for width in _WIDTHS}
    problem = _Problem(target, answer, outputs)
    folds = torch.from_numpy(np.random.default_rng(seed).permutation(len(numbers)) % _FOLDS)
    kept = (folds[:, None] != torch.arange(_FOLDS)).float()  # (N, P)
    tried: dict[tuple[int, float], tuple[float, Tensor]] = {}

    def score(width: int, penalty: float) -> float:
        if (width, penalty) not in tried:
            free, bias = problem.solve(features[width], kept, penalty, _FEW_STEPS if few else _STEPS)
            left_out = problem.outputs_of(features[width], free, bias)[torch.arange(len(folds)), folds]  # (N, O)
            tried[width, penalty] = float(_losses(left_out, target, answer).mean()), left_out
        return tried[width, penalty][0]

    width = min(_WIDTHS, key=lambda one: score(one, _PENALTIES[0]))
    penalty = min(_PENALTIES, key=lambda one: score(width, one))
    free, bias = problem.solve(features[width], torch.ones(len(numbers), 1), penalty, _LAST_STEPS)
    heat = 1.0 if answer == "number" else heat_of(tried[width, penalty][1], target)
    return features[width].weights(free) * heat, bias[0] * heat


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


class _Features(Protocol):
    """What a linear model of the rows is solved by: free weights (size, …) and what they stand for."""

    @property
    def size(self) -> int: ...

    def outputs(self, free: Tensor) -> Tensor:
        """(N, …), the sums over each row."""

    def gradient(self, slopes: Tensor) -> Tensor:
        """(size, …), from the slopes (N, …) of the outputs: the transposed map."""

    def weights(self, free: Tensor) -> Tensor:
        """(F, …), the weights of the groups."""


@dataclass(frozen=True, slots=True)
class _Spread:
    """A free weight for each group, spread over its neighbours; the spread is its own transpose."""

    groups: Groups
    held: _Transposed
    reach: Tensor  # (L, L)

    @property
    def size(self) -> int:
        return self.groups.size

    def outputs(self, free: Tensor) -> Tensor:
        weights = self.weights(free)
        padded = torch.cat([weights, weights.new_zeros(1, weights.shape[1])])  # the number F counts for nothing
        return functional.embedding_bag(self.held.numbers, padded, mode="sum")

    def gradient(self, slopes: Tensor) -> Tensor:
        return self.weights(functional.embedding_bag(self.held.rows, slopes, self.held.offsets, mode="sum"))

    def weights(self, free: Tensor) -> Tensor:
        shares = [self.groups.places * size for size in self.groups.sizes]
        parts = torch.split(free, shares)
        return torch.cat([(self.reach @ part.view(len(self.reach), -1)).view(part.shape) for part in parts])


@dataclass(frozen=True, slots=True)
class _Triangle:
    r"""A free weight for each row, of fewer rows than groups: the same steps of L-BFGS with far smaller vectors.

    .. math:: v = A^\top L^{-\top} u, \qquad L L^\top = A A^\top

    A maps the weights v of `_Spread` to the outputs. Only what rows add up to is ever learned, and u has the length of
    its v, so that both are penalised alike.
    """

    spread: _Spread
    root: Tensor  # (N, N), L in float64
    single: Tensor  # and in float32

    @classmethod
    def of(cls, spread: _Spread) -> Self:
        products = _products(spread)
        mean, ridge, failed = float(products.diagonal().mean()), _RIDGE, 1
        while failed and ridge < 1:  # rows that come twice leave nothing but rounding on the diagonal
            products.diagonal().add_(ridge * mean)
            root, info = torch.linalg.cholesky_ex(products)
            failed, ridge = int(info), 10 * ridge
        return cls(spread, root, root.float())

    @property
    def size(self) -> int:
        return len(self.root)

    def outputs(self, free: Tensor) -> Tensor:
        return self.single @ free

    def gradient(self, slopes: Tensor) -> Tensor:
        return self.single.T @ slopes

    def weights(self, free: Tensor) -> Tensor:
        shares = torch.linalg.solve_triangular(self.root.T, free.double(), upper=True)
        return self.spread.weights(self.spread.gradient(shares.float()))


def _products(spread: _Spread) -> Tensor:
    """(N, N) float64, A A^T: for each two rows, how near the places are at which they have the same groups."""
    groups, numbers, first = spread.groups, spread.held.numbers, 0
    near = spread.reach @ spread.reach
    total = torch.zeros(len(numbers), len(numbers), dtype=torch.float64)
    for length, size in enumerate(groups.sizes):
        own = numbers.view(len(numbers), groups.places, groups.longest)[..., length].T.contiguous()  # (L, N)
        codes = torch.where(own < groups.size, (own - first) % size, size)
        for place, code in enumerate(codes):
            beside = near[place].nonzero()[:, 0]
            found = torch.zeros(size + 1, len(numbers))
            found.scatter_add_(0, codes[beside], near[place, beside, None].expand(-1, len(numbers)))
            found[size] = 0
            total += found[code]
        first += groups.places * size
    return total


def _features(groups: Groups, held: _Transposed, width: int, few: bool) -> _Features:
    place = torch.arange(groups.places)
    reach = (1 - (place[:, None] - place).abs() / (width + 1)).clamp_min(0)
    spread = _Spread(groups, held, reach / (groups.longest * reach.square().sum()).sqrt())
    return _Triangle.of(spread) if few else spread


@dataclass(frozen=True, slots=True)
class _Problem:
    """P linear models at once, each with the rows of its own that it is solved from."""

    target: Tensor
    answer: Answer
    outputs: int

    def solve(self, features: _Features, kept: Tensor, penalty: float, steps: int) -> tuple[Tensor, Tensor]:
        """The free weights (size, P O) and the biases (P, O), from the rows that ``kept`` (N, P) has at 1."""
        problems = kept.shape[1]
        free = torch.zeros(features.size, problems * self.outputs)
        bias = torch.zeros(problems, self.outputs)
        shares = (kept / kept.sum(0))[..., None]
        shrink = 1 / (penalty * float(kept.sum(0).mean()))
        optimiser = torch.optim.LBFGS([free, bias], max_iter=steps, history_size=8, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            with torch.enable_grad():
                outputs = self.outputs_of(features, free, bias).requires_grad_()
                value = (_losses(outputs, self.target, self.answer) * shares[..., 0]).sum()
                (slopes,) = torch.autograd.grad(value, outputs)  # (N, P, O)
            free.grad = features.gradient(slopes.flatten(1)) + shrink * free
            bias.grad = slopes.sum(0)
            return value.detach() + 0.5 * shrink * free.square().sum()

        optimiser.step(loss)  # type: ignore[no-untyped-call]
        return free, bias

    def outputs_of(self, features: _Features, free: Tensor, bias: Tensor) -> Tensor:
        """(N, P, O), from free weights (size, P O) and biases (P, O)."""
        return features.outputs(free).view(-1, *bias.shape) + bias


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
