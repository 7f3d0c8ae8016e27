"""Numbers that are one sum over another, as most are."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.metrics.base import Sums

__all__ = ["known_mean", "ratio", "ratios"]

_OVER = " /"  # behind the name of a sum: what it is divided by


def ratio(name: str, total: Tensor, count: Tensor | int) -> Sums:
    """The sums of the measure ``name``, which is ``total`` over ``count``."""
    return {name: total, name + _OVER: torch.as_tensor(count)}


def known_mean(name: str, each: Tensor, right: Tensor) -> Sums:
    """The sums of the mean of ``each`` value whose right one is no NaN; in float64."""
    known = ~right.isnan()
    return ratio(name, each[known].double().sum(), known.sum())


def ratios(sums: Sums) -> dict[str, float]:
    """The measures of all sums of `ratio`; those of nothing are left out.

    Example:
        >>> ratios(ratio("accuracy", torch.tensor(3), 4) | ratio("mrr", torch.tensor(0.0), 0))
        {'accuracy': 0.75}
    """
    names = [name for name in sums if not name.endswith(_OVER)]
    return {name: float(sums[name]) / float(sums[name + _OVER]) for name in names if float(sums[name + _OVER])}
