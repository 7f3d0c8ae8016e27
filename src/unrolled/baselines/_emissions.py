"""Emission distributions of a hidden Markov model: symbols of a vocabulary, or diagonal Gaussians.

Both are fitted from *statistics*, which can be summed over parts of the data.

Axes: N steps, S states, V symbols, W channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

__all__ = ["Emission", "Gaussian", "Symbols"]

_LEAST_VARIANCE = 1e-3  # in scaled units; otherwise the variance of a state with a single value would be 0


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """Discrete emissions: ``log_p`` (S, V), the log-probability of each symbol in each state."""

    log_p: np.ndarray

    @staticmethod
    def statistics(values: np.ndarray, gamma: np.ndarray, size: int) -> np.ndarray:
        """(S, V) expected counts of each symbol in each state.

        Args:
            values: (N,) symbols.
            gamma: (N, S) the probability of each state.
            size: V.
        """
        return np.stack([np.bincount(values, weights, size) for weights in gamma.T])

    @classmethod
    def fit(cls, counts: np.ndarray, pseudo: float | np.ndarray = 0.0) -> Self:
        """Fit by frequencies, adding ``pseudo`` counts that broadcast to (S, V)."""
        counts = counts + pseudo
        with np.errstate(divide="ignore"):
            return cls(np.log(counts) - np.log(counts.sum(1, keepdims=True)))

    def score(self, values: np.ndarray) -> np.ndarray:
        """(N, S) log p(x | z)."""
        return np.ascontiguousarray(self.log_p.T)[values]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Gaussian emissions: ``mean`` and ``variance`` (S, W) of independent channels in each state. NaN is ignored."""

    mean: np.ndarray
    variance: np.ndarray

    @staticmethod
    def statistics(values: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """(3, S, W): the expected number of values, their sum and the sum of their squares.

        Args:
            values: (N, W) float; NaN is missing.
            gamma: (N, S) the probability of each state.
        """
        known = ~np.isnan(values)
        x = np.where(known, values, 0.0).astype(np.float64)
        return np.stack([gamma.T @ known, gamma.T @ x, gamma.T @ np.square(x)])

    @classmethod
    def fit(cls, statistics: np.ndarray) -> Self:
        """Fit by maximum likelihood; a state without any value gets the standard normal."""
        count, total, square = statistics
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, total / count, 0.0)
            variance = np.where(count > 0, square / count - np.square(mean), 1.0)
        return cls(mean, np.maximum(variance, _LEAST_VARIANCE))

    def score(self, values: np.ndarray) -> np.ndarray:
        """(N, S) log p(x | z)."""
        known = ~np.isnan(values)
        x = np.where(known, values, 0.0).astype(np.float64)
        precision = 1 / self.variance
        constant = np.square(self.mean) * precision + np.log(2 * math.pi * self.variance)
        squares = np.square(x) @ precision.T - 2 * x @ (self.mean * precision).T
        return -0.5 * (squares + known @ constant.T)


Emission = Symbols | Gaussian
