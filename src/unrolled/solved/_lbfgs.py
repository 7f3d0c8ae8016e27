"""L-BFGS for several smooth convex problems of one shape at once, each with its own curvature and step length.

The folds of a cross-validation share one sparse matrix, so that a product for all of them costs little more than a
product for one.

Axes: P problems, N weights of each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["minimise"]

_MEMORY = 6  # pairs of steps and changes of the gradient
_TRIALS = 20  # halvings of a step
_ENOUGH = 1e-4  # a step must lower the value by this share of what the slope promises

_Pair = tuple[Tensor, Tensor, Tensor]  # step and change of the gradient (P, N), the inverse of their product (P,)


@torch.no_grad()
def minimise(
    function: Callable[[Tensor], tuple[Tensor, Tensor]], start: Tensor, steps: int, tolerance: float = 1e-5
) -> Tensor:
    r"""The weights with the lowest value of each problem, by limited-memory BFGS with a backtracking line search.

    .. math:: x' = x - \eta H \nabla f(x), \quad f(x') \le f(x) - 10^{-4}\, \eta\, \nabla f^\top H \nabla f

    Args:
        function: the values (P,) float64 and gradients (P, N) of all problems.
        start: (P, N), where to start.
        steps: the most steps.
        tolerance: a problem is solved when a step lowers its value by less than this share of it.

    Cost: one call of ``function`` a step, seldom more, and 24 P N multiply-adds.

    References:
        Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980. https://doi.org/10.2307/2006193

    Example:
        >>> wanted = torch.tensor([[1.0], [5.0]])
        >>> found = minimise(lambda x: ((x - wanted).square().sum(1).double(), 2 * (x - wanted)), wanted * 0, 50)
        >>> [round(number, 3) for number in found.flatten().tolist()]
        [1.0, 5.0]
    """
    x = start.clone()
    value, gradient = function(x)
    unsolved = torch.ones_like(value, dtype=torch.bool)
    pairs: list[_Pair] = []
    for index in range(steps):
        direction = _descent(gradient, pairs)
        slope = _dot(gradient, direction)
        size = torch.ones_like(value)
        if not index:  # nothing is known of the curvature
            size = 1 / _dot(gradient, gradient).sqrt().clamp_min(1.0)
        for _ in range(_TRIALS):
            after = torch.addcmul(x, _column(torch.where(unsolved, size, 0.0), x), direction)
            lower, changed = function(after)
            fine = (lower <= value + _ENOUGH * size * slope) | ~unsolved
            if bool(fine.all()):
                break
            size = torch.where(fine, size, size / 2)
        else:  # rounding hides what is left to gain
            after = torch.where(fine[:, None], after, x)
            lower, changed = function(after)
        step, change = after - x, changed - gradient
        bend = _dot(step, change)
        pairs = [*pairs[1 - _MEMORY :], (step, change, torch.where(bend > 0, 1 / bend, 0.0))]
        unsolved &= value - lower > tolerance * value.abs().clamp_min(1e-3)
        x, value, gradient = after, lower, changed
        if not bool(unsolved.any()):
            break
    return x


def _descent(gradient: Tensor, pairs: list[_Pair]) -> Tensor:
    """Minus the product of the estimated inverse Hessian and the gradient, by the two-loop recursion."""
    q, shares = -gradient, []
    for step, change, inverse in reversed(pairs):
        share = inverse * _dot(step, q)
        q.addcmul_(_column(-share, q), change)
        shares.append(share)
    if pairs:
        step, change, inverse = pairs[-1]
        q *= _column(torch.where(inverse > 0, 1 / (inverse * _dot(change, change)), 1.0), q)
    for (step, change, inverse), share in zip(pairs, reversed(shares), strict=True):
        q.addcmul_(_column(share - inverse * _dot(change, q), q), step)
    return q


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(P,) float64: the inner product within each problem."""
    return torch.stack([torch.dot(one, other) for one, other in zip(a, b, strict=True)]).double()


def _column(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.to(like.dtype)[:, None]
