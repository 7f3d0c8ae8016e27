"""What a state emits: a symbol of a vocabulary, or numbers of a diagonal Gaussian.

Both are fitted from *statistics* that may be summed over parts of the data.

Axes: N steps, S states, V symbols, W channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

__all__ = ["Emission", "Gaussian", "Symbols"]

_LEAST_VARIANCE = 1e-3  # in scaled units; a state of a single value must not be sure of it


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """``log_p`` (S, V): the log-probability of each symbol in each state."""

    log_p: np.ndarray

    @staticmethod
    def statistics(values: np.ndarray, gamma: np.ndarray, size: int) -> np.ndarray:
        """(S, V) how often each state is expected to emit each symbol.

        Args:
            values: (N,) symbols.
            gamma: (N, S) the probability of each state.
            size: V.
        """
        return np.stack([np.bincount(values, weights, size) for weights in gamma.T])

    @classmethod
    def fit(cls, counts: np.ndarray, pseudo: float | np.ndarray = 0.0) -> Self:
        """Frequencies, with ``pseudo`` counts that broadcast to (S, V)."""
        counts = counts + pseudo
        with np.errstate(divide="ignore"):
            return cls(np.log(counts) - np.log(counts.sum(1, keepdims=True)))

    def score(self, values: np.ndarray) -> np.ndarray:
        """(N, S) log p(x | z)."""
        return np.ascontiguousarray(self.log_p.T)[values]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """``mean`` and ``variance`` (S, W) of each channel in each state; channels are independent. NaN is not seen."""

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
        """The likeliest ones; a state without any value is the standard normal."""
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
