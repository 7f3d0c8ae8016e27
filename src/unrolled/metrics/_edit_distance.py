"""The edit distance of many pairs of sequences at once.

Axes: N pairs of sequences with P and U ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from unrolled.errors import ShapeError
from unrolled.metrics.judged import Ids

__all__ = ["edit_distance"]

_PAIRS = 1024  # pairs compared at a time


def edit_distance(prediction: Sequence[Ids], target: Sequence[Ids]) -> npt.NDArray[np.int64]:
    r"""The number of insertions, deletions and substitutions that turn each prediction into its target.

    .. math:: d_{ij} = \min(d_{i-1,j} + 1,\; d_{i,j-1} + 1,\; d_{i-1,j-1} + [p_i \ne y_j])

    Args:
        prediction: N sequences of ids, of any lengths.
        target: N sequences.

    Shape:
        The result is (N,) int64.

    Raises:
        ShapeError: the numbers of predictions and targets differ.

    Cost: O(N P U) for sequences of P and U ids, P passes over all pairs at once: 0.1 s for 10 000 pairs of 30 ids.

    References:
        Levenshtein 1966; Wagner and Fischer 1974, https://doi.org/10.1145/321796.321811

    Example:
        >>> edit_distance([[1, 2, 3], [5]], [[1, 3], [5]])
        array([1, 0])
    """
    if len(prediction) != len(target):
        raise ShapeError(f"prediction has {len(prediction)} sequences, but target has {len(target)}")
    sizes = np.array([(len(p), len(y)) for p, y in zip(prediction, target, strict=True)], np.int64).reshape(-1, 2)
    found = np.zeros(len(sizes), np.int64)
    order = np.lexsort(sizes.T)  # pairs of similar lengths together, for little padding
    for start in range(0, len(order), _PAIRS):
        some = order[start : start + _PAIRS]
        found[some] = _edits(*((_padded([rows[n] for n in some])) for rows in (prediction, target)), *sizes[some].T)
    return found


def _edits(p: np.ndarray, y: np.ndarray, p_sizes: np.ndarray, y_sizes: np.ndarray) -> npt.NDArray[np.int64]:
    """(N,) edits between the first ``p_sizes`` of ``p`` (N, P) and the first ``y_sizes`` of ``y`` (N, U)."""
    at, pairs = np.arange(y.shape[1] + 1, dtype=np.int32), np.arange(len(p))
    row = np.tile(at, (len(p), 1))  # (N, U + 1), edits from the ids of p so far to each prefix of y
    found = row[pairs, y_sizes]
    for i in range(p.shape[1]):
        # First the minimum over the cells above and diagonally above; moves from the left are then a running minimum.
        new = row + 1
        np.minimum(new[:, 1:], row[:, :-1] + (p[:, i, None] != y), out=new[:, 1:])
        row = np.minimum.accumulate(new - at, axis=1) + at
        found = np.where(p_sizes == i + 1, row[pairs, y_sizes], found)
    return found.astype(np.int64)


def _padded(rows: Sequence[Ids]) -> np.ndarray:
    """(N, longest) int64, padded with 0."""
    lengths = np.array([len(row) for row in rows], np.int64)
    padded = np.zeros((len(rows), int(lengths.max(initial=0))), np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), np.int64)
    return padded
