"""Initial values of the head's bias, so that an untrained network predicts the frequencies of the training data.

Otherwise the first hundreds of steps are spent on learning frequencies: a piano key is silent 95 % of the time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import MISSING, Discrete
from unrolled.data.examples.examples import Examples

__all__ = ["counts_of", "log_frequencies", "log_odds", "log_transitions"]

_ENOUGH = 10_000_000  # values to count; more would hardly change the frequencies
_AT_ONCE = 1 << 20  # values of which 64-bit copies are made


def log_frequencies(train: Examples, given: int | None = None) -> Tensor:
    """Log p_k of each of the target's K symbols, with add-one smoothing; (K,) float32.

    Args:
        train: the training split.
        given: a symbol that targets hold but that is never predicted: ``<begin>``.
    """
    assert train.target is not None and isinstance(train.target_spec, Discrete)
    counts = counts_of(train.target.values[:_ENOUGH], train.target_spec.size) + 1.0
    if given is not None:
        counts[given] = 1.0
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def counts_of(values: np.ndarray, size: int) -> np.ndarray:
    """How often each of ``size`` symbols occurs in values that may lie in a file; (≥ size,) int64."""
    parts = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
    found = np.zeros(size, np.int64)
    for part in parts:
        counts = np.bincount(part[part != MISSING], minlength=len(found))
        counts[: len(found)] += found
        found = counts
    return found


def log_odds(train: Examples) -> Tensor:
    """Log p / (1 - p) of each label of a set, or of each several-hot channel; (K,) float32."""
    assert train.target is not None
    values = train.target.values[:_ENOUGH]
    if isinstance(train.target_spec, Discrete):
        hot, total = np.bincount(values, minlength=train.target_spec.size), len(train.target.lengths())
    else:
        hot, total = np.nansum(values, axis=0, dtype=np.float64), (~np.isnan(values)).sum(axis=0)
    return torch.from_numpy(np.log((hot + 0.5) / (total - hot + 0.5))).float()


def log_transitions(train: Examples) -> tuple[Tensor, Tensor]:
    """Log p(j | i) of label j after label i, and which pairs occur; both (K + 1, K), with row K for the first step.

    Smoothed towards p(j), so that rare labels i follow the overall frequencies: (n_ij + p_j) / (n_i + 1).
    """
    assert train.target is not None and train.target.offsets is not None and isinstance(train.target_spec, Discrete)
    size, values = train.target_spec.size, train.target.values.astype(np.int64)
    before = np.concatenate([[size], values[:-1]])[: len(values)]
    starts = train.target.offsets[:-1]
    before[starts[starts < len(values)]] = size
    known = (values != MISSING) & (before != MISSING)
    pairs = np.bincount(before[known] * size + values[known], minlength=(size + 1) * size).reshape(size + 1, size)
    of_all = torch.exp(log_frequencies(train)).double().numpy()
    chances = (pairs + of_all) / (pairs.sum(1, keepdims=True) + 1)
    return torch.from_numpy(np.log(chances)).float(), torch.from_numpy(pairs > 0)
