"""Where the head's bias starts: an untrained network answers with the frequencies of training, not with noise.

Without it the first hundreds of steps only learn how rare things are: a piano key is silent 95 % of the time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Discrete
from unrolled.data.examples import Examples

__all__ = ["log_frequencies", "log_odds"]

_ENOUGH = 10_000_000  # values; more would not change the frequencies


def log_frequencies(train: Examples) -> Tensor:
    """Log p_k of each of K symbols of the target, each counted once more than it occurs; (K,) float32."""
    assert train.target is not None and isinstance(train.target_spec, Discrete)
    counts = np.bincount(train.target.values[:_ENOUGH], minlength=train.target_spec.size) + 1.0
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def log_odds(train: Examples) -> Tensor:
    """Log p / (1 - p) of each label of a set, or of each several-hot channel; (K,) float32."""
    assert train.target is not None
    values = train.target.values[:_ENOUGH]
    if isinstance(train.target_spec, Discrete):
        hot, total = np.bincount(values, minlength=train.target_spec.size), len(train.target.lengths())
    else:
        hot, total = np.nansum(values, axis=0, dtype=np.float64), (~np.isnan(values)).sum(axis=0)
    return torch.from_numpy(np.log((hot + 0.5) / (total - hot + 0.5))).float()
