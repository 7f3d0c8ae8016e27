"""Metrics that are the ratio of two sums, as most are."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.metrics.metric import Sums

__all__ = ["OVER", "known_mean", "ratio", "ratios"]

OVER = " /"  # suffix of the name of a denominator


def ratio(name: str, total: Tensor, count: Tensor | int) -> Sums:
    """The sums of the measure ``name``, defined as ``total`` / ``count``."""
    return {name: total, name + OVER: torch.as_tensor(count)}


def known_mean(name: str, each: Tensor, right: Tensor) -> Sums:
    """The sums of the mean of ``each`` over values whose right value is not NaN; in float64."""
    known = ~right.isnan()
    return ratio(name, torch.where(known, each, 0).double().sum(), known.sum())


def ratios(sums: Sums) -> dict[str, float]:
    """The measures of all sums from `ratio`, without those whose denominator is 0.

    Example:
        >>> ratios(ratio("accuracy", torch.tensor(3), 4) | ratio("mrr", torch.tensor(0.0), 0))
        {'accuracy': 0.75}
    """
    names = [name for name in sums if not name.endswith(OVER)]
    return {name: float(sums[name]) / float(sums[name + OVER]) for name in names if float(sums[name + OVER])}
