"""Interpolated modified Kneser–Ney smoothing on whole arrays, without a loop over tokens.

Every n-gram type is numbered by its position among the sorted keys ``context number · (V + 1) + last token``, where the
context is a type of the order below. Two arrays therefore hold a whole order, and there are no hash collisions.

Axes: S steps of all rows end to end, each row after a begin mark; U types of one order; V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["KneserNey", "Order"]

_FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])  # discounts if there are too few counts to estimate them, as in KenLM


@dataclass(frozen=True, slots=True)
class Order:
    """The n-grams of one order n > 1.

    Shape:
        keys: (U,) int64, sorted.
        chances: (U,) float32, the smoothed probability of the last token after its context.
        back: (U of the order below,) float32, the back-off weight of each context; 1 if never seen.
    """

    keys: np.ndarray
    chances: np.ndarray
    back: np.ndarray


@dataclass(frozen=True, slots=True)
class KneserNey:
    """A fitted n-gram model: (V + 1,) float32 unigram probabilities, and the higher orders."""

    size: int
    first: np.ndarray
    orders: tuple[Order, ...]

    @classmethod
    def fit(cls, tokens: np.ndarray, offsets: np.ndarray, size: int, order: int) -> KneserNey:
        """Count n-grams and smooth.

        Args:
            tokens: (N,) ids in [0, size); a negative id is unknown, and the context restarts after it.
            offsets: (rows + 1,) bounds of the rows.
            size: V.
            order: the longest n-gram, at least 1.
        """
        stream = _stream(tokens, offsets, size)
        depth = _depth(stream, size)
        counts, keys, suffixes = [np.bincount(stream, minlength=size + 1).astype(np.int32)], [], []
        begins = [np.arange(size + 1) == size]  # types that start with the begin mark
        numbers = stream  # (S,) int32: the type of the current order that ends at each step
        for n in range(2, order + 1):
            at = np.flatnonzero(depth >= n - 1)
            type_keys, of_step, type_counts = _count(numbers[at - 1] * np.int64(size + 1) + stream[at])
            if not len(type_keys):
                break
            suffix = np.empty(len(type_keys), np.int32)
            suffix[of_step] = numbers[at]  # every step of a type writes the same number
            numbers = np.full(len(stream), -1, np.int32)
            numbers[at] = of_step
            keys.append(type_keys)
            counts.append(type_counts)
            suffixes.append(suffix)
            begins.append(begins[-1][type_keys // (size + 1)])
        del stream, depth, numbers
        for n in range(len(counts) - 1):  # lower orders count distinct preceding tokens; a begin mark has none
            left = np.bincount(suffixes[n], minlength=len(counts[n]))
            counts[n] = np.where(begins[n], counts[n], left).astype(np.int32)
        counts[0][size] = 0  # a begin mark is never predicted
        return cls._smooth(size, counts, keys, suffixes)

    @classmethod
    def _smooth(
        cls, size: int, counts: list[np.ndarray], keys: list[np.ndarray], suffixes: list[np.ndarray]
    ) -> KneserNey:
        kept, back = _discount(counts[0], np.zeros(size + 1, np.int32), 1)
        lower = kept + back[0] / np.float32(size)
        lower[size] = 0.0
        first, orders = lower, []
        for n, key in enumerate(keys):
            context = (key // (size + 1)).astype(np.int32)
            kept, back = _discount(counts[n + 1], context, len(counts[n]))
            chances = kept + back[context] * lower[suffixes[n]]
            orders.append(Order(key, chances, back))
            lower = chances
        return cls(size, first, tuple(orders))


def _stream(tokens: np.ndarray, offsets: np.ndarray, size: int) -> np.ndarray:
    """(S,) int32: the rows end to end, with the mark ``size`` before each and in place of unknown tokens."""
    stream = np.full(len(tokens) + len(offsets) - 1, size, np.int32)
    stream[np.arange(len(tokens)) + np.repeat(np.arange(1, len(offsets)), np.diff(offsets))] = tokens
    stream[stream < 0] = size
    return stream


def _depth(stream: np.ndarray, mark: int) -> np.ndarray:
    """(S,) int32: the number of steps since the last mark."""
    steps = np.arange(len(stream), dtype=np.int32)
    return np.asarray(steps - np.maximum.accumulate(np.where(stream == mark, steps, np.int32(0))))


def _count(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(U,) the sorted distinct keys, (S,) int32 the index of each step's key, (U,) int32 the count of each key."""
    order = np.argsort(keys)
    keys = keys[order]
    new = np.diff(keys, prepend=-1) != 0
    numbers = np.empty(len(keys), np.int32)
    numbers[order] = np.cumsum(new, dtype=np.int32) - 1
    starts = np.flatnonzero(new)
    return keys[starts], numbers, np.diff(starts, append=len(keys)).astype(np.int32)


def _discount(counts: np.ndarray, contexts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(U,) float32 discounted probability of each type, and (size,) float32 the mass left over in each context."""
    taken = _discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(contexts, counts, size)
    seen = np.maximum(totals, 1)
    left = np.where(totals > 0, np.bincount(contexts, taken, size) / seen, 1.0)
    return ((counts - taken) / seen[contexts]).astype(np.float32), left.astype(np.float32)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """(4,) discounts for a count of 0, 1, 2, and 3 or more, estimated from the counts of counts."""
    n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if 0 in (n1, n2, n3, n4):
        return _FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found[1:] > 0).all() and (found <= np.arange(4)).all() else _FALLBACK
