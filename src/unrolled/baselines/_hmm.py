"""The algorithms of hidden Markov models, in log space over all rows at once: forward, backward, Viterbi, Baum–Welch.

Rows of any lengths are *packed* without padding: the first step of every row, longest row first, then the second
step of every row that has one, and so on.

Axes: N steps of all rows, R rows, T steps of the longest, S states. The names follow Rabiner: pi, A, b, alpha, beta,
gamma, xi; all except xi are logarithms.

References:
    Rabiner, A tutorial on hidden Markov models, 1989. https://doi.org/10.1109/5.18626
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

__all__ = ["Packed", "backward", "forward", "log_sum", "maximise", "posterior", "predicted", "transitions", "viterbi"]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The positions of steps after packing.

    Attributes:
        steps: (N,) int64, the position of each packed step in the original values.
        rows: (N,) int64, the row of each packed step; 0 is the longest row.
        sizes: (T,) int64, how many rows have a step t; never increasing.
        pieces: (R,) int64, the original row that each row is a piece of.
    """

    steps: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    pieces: np.ndarray

    @classmethod
    def of(cls, starts: np.ndarray, lengths: np.ndarray, longest: int) -> Self:
        """Pack ``values[starts[r]:starts[r] + lengths[r]]`` for each r, cutting rows of more than ``longest`` steps.

        Example:
            >>> Packed.of(np.array([0, 2]), np.array([2, 3]), longest=9).steps
            array([2, 0, 3, 1, 4])
        """
        pieces, nth = _each(-(-lengths // longest))
        short = np.minimum(lengths[pieces] - nth * longest, longest)
        order = np.argsort(-short, kind="stable")
        begins = (starts[pieces] + nth * longest)[order]
        sizes = len(short) - np.cumsum(np.bincount(short, minlength=1))[:-1]  # rows longer than 0, 1, …
        t, rows = _each(sizes)
        return cls(begins[rows] + t, rows, sizes, pieces[order])

    def before(self) -> np.ndarray:
        """(N - R,) int64: for each packed step after a row's first, the position of the step before it."""
        first = int(self.sizes[0]) if len(self.sizes) else 0
        return np.arange(first, len(self.steps)) - np.repeat(self.sizes[:-1], self.sizes[1:])

    def last(self) -> np.ndarray:
        """(R,) int64: the position of the last step of each row."""
        last = np.zeros(int(self.sizes[0]) if len(self.sizes) else 0, np.int64)
        last[self.rows] = np.arange(len(self.rows))  # later steps overwrite earlier ones
        return last


def forward(pi: np.ndarray, A: np.ndarray, b: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(N, S) alpha_t(j) = log p(x_1 … x_t, z_t = j).

    Args:
        pi: (S,) log p(z_1).
        A: (S, S) log p(z_t = j | z_{t-1} = i).
        b: (N, S) log p(x_t | z_t), packed.
        sizes: (T,), from `Packed`.
    """
    alpha, chances = b.copy(), np.exp(A)
    alpha[: sizes[:1].sum()] += pi
    at = 0
    for size, following in pairwise(sizes):
        alpha[at + size : at + size + following] += _through(alpha[at : at + following], chances)
        at += size
    return alpha


def backward(A: np.ndarray, b: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(N, S) beta_t(i) = log p(x_{t+1} … x_n | z_t = i). Arguments as for `forward`."""
    beta, chances = np.zeros_like(b), np.exp(A).T
    at = len(b)
    for following, size in pairwise(sizes[::-1]):
        at -= following
        later = slice(at, at + following)
        beta[at - size : at - size + following] = _through(b[later] + beta[later], chances)
    return beta


def posterior(alpha: np.ndarray, beta: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    """(N, S) gamma_t(i) = log p(z_t = i | x), and (R,) log p(x) of each row."""
    likelihood = log_sum(alpha[packed.last()])
    return alpha + beta - likelihood[packed.rows, None], likelihood


def transitions(A: np.ndarray, b: np.ndarray, alpha: np.ndarray, beta: np.ndarray, packed: Packed) -> np.ndarray:
    """(S, S) xi summed over all steps: the expected number of transitions from state i to state j.

    Args:
        A, b: as for `forward`.
        alpha, beta: from `forward` and `backward`.
        packed: the rows.
    """
    before, first = packed.before(), len(packed.steps) - len(packed.before())
    top = alpha[before].max(1, keepdims=True)
    likelihood = log_sum(alpha[packed.last()])[packed.rows[first:], None]
    # Scaled by `top`, both factors of the product stay close to 1 in long rows.
    ahead = np.exp(np.minimum(b[first:] + beta[first:] + top - likelihood, 700.0))
    return np.asarray(np.exp(A) * (np.exp(alpha[before] - top).T @ ahead))


def maximise(counts: np.ndarray, pseudo: float | np.ndarray = 0.0) -> np.ndarray:
    """Log frequencies along the last axis, after adding ``pseudo`` counts."""
    counts = counts + pseudo
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(counts) - np.log(counts.sum(-1, keepdims=True)))


def predicted(pi: np.ndarray, A: np.ndarray, alpha: np.ndarray, packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    """(N, S) log p(z_t | x_1 … x_{t-1}), and (N,) log p(x_t | x_1 … x_{t-1})."""
    sums, before = log_sum(alpha), packed.before()
    first = len(alpha) - len(before)
    states = np.broadcast_to(pi, alpha.shape).copy()
    states[first:] = _through(alpha[before] - sums[before, None], np.exp(A))
    sums[first:] -= log_sum(alpha)[before]
    return states, sums


def viterbi(pi: np.ndarray, A: np.ndarray, b: np.ndarray, packed: Packed) -> np.ndarray:
    """(N,) int64: each row's likeliest path of states, packed. Arguments as for `forward`."""
    delta = b.copy()
    came = np.zeros(b.shape, np.int16 if len(pi) < 1 << 15 else np.int64)
    delta[: packed.sizes[:1].sum()] += pi
    at = 0
    for size, following in pairwise(packed.sizes):
        here = slice(at + size, at + size + following)
        for state in range(len(pi)):  # one state at a time takes S times less memory
            worth = delta[at : at + following] + A[:, state]
            best = worth.argmax(1)
            came[here, state] = best
            delta[here, state] += worth[np.arange(following), best]
        at += size
    path = delta.argmax(1)  # correct at the end of each row; the loop fills in earlier steps
    end = len(b)
    for following, size in pairwise(packed.sizes[::-1]):
        end -= following
        places = np.arange(end, end + following)
        path[places - size] = came[places, path[places]]
    return np.asarray(path)


def log_sum(values: np.ndarray) -> np.ndarray:
    """(N,) log Σ_i exp values[:, i]."""
    top = values.max(1)
    return np.asarray(np.log(np.exp(values - top[:, None]).sum(1)) + top)


def _through(values: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """(n, S) log Σ_i exp(values[:, i]) chances[i, j]: with S exponentials per row instead of S²."""
    top = values.max(1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(values - top) @ chances) + top)


def _each(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For ``counts[i]`` items in each group i, end to end: the group of each item, and its index in the group."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
