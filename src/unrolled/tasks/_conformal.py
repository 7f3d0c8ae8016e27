"""Scaling the intervals of forecasts, so that they hold as many values of the validation data as their name says.

Axes: N values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["interval_scale", "miss"]

_FEW = 20  # values from which a scale is measured
_LEAST, _MOST = 0.2, 10.0  # a scale beyond these says that the intervals are of no use


def miss(low: Tensor, middle: Tensor, high: Tensor, right: Tensor) -> Tensor:
    """How far each value lies from the middle, in halves of its interval: at most 1 if it lies inside.

    Example:
        >>> ends = torch.tensor([0.0, 0.0]), torch.tensor([2.0, 2.0]), torch.tensor([3.0, 3.0])
        >>> miss(*ends, torch.tensor([1.0, 5.0])).tolist()
        [0.5, 3.0]
    """
    half = torch.where(right < middle, middle - low, high - middle)
    return (right - middle).abs() / half.clamp(min=torch.finfo(half.dtype).tiny)


def interval_scale(misses: Tensor, share: float) -> float:
    r"""What to multiply intervals by, so that they hold ``share`` of new values (split conformal prediction).

    It is the :math:`\lceil (N + 1) \cdot \text{share} \rceil`-th smallest of the misses of the validation data, where
    each value would just lie in its scaled interval. The promise holds where later errors are like those of the
    validation data. 1 if there are too few values.

    Args:
        misses: (N,) the results of `miss`.
        share: the share of values that an interval should hold, in (0, 1).

    References:
        Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2018. https://doi.org/10.1080/01621459.2017.1307116

    Example:
        >>> interval_scale(torch.arange(1, 100) / 50, 0.8)
        1.6
    """
    count = len(misses)
    if count < _FEW:
        return 1.0
    place = min(count, math.ceil((count + 1) * share))
    return min(max(round(float(misses.double().sort().values[place - 1]), 6), _LEAST), _MOST)
