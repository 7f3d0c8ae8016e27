"""Sampled negatives: items that a row does not hold, among which the right one is ranked.

Axes: N questions, M items of all rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unrolled.data.io.hashed import hashed

__all__ = ["NEGATIVES", "negatives"]

NEGATIVES = 100
_DRAWS = 50  # tries for each sample; only a row that holds nearly every item may then keep one of its own


def negatives(
    rows: np.ndarray, steps: np.ndarray, holders: np.ndarray, held: np.ndarray, items: range
) -> npt.NDArray[np.int64]:
    """Sample 100 items for each question that its row does not hold, uniformly and with replacement.

    They are a pure function of row and step, independent of the batch and of earlier draws, so that all models on the
    same split are evaluated with the same negatives.

    Args:
        rows, steps: the row and step of each question.
        holders, held: the row of each item that the rows hold, and the item.
        items: the ids of all items.

    Shape:
        rows, steps (N,), holders, held (M,), all int64 -> (N, 100) int64.

    Cost: O((100 N + M) log M).

    References:
        Kang and McAuley 2018, the protocol, https://arxiv.org/abs/1808.09781

    Example:
        >>> zeros = np.zeros(3, np.int64)
        >>> np.unique(negatives(zeros[:1], zeros[:1], zeros, np.array([3, 4, 6]), range(3, 8))).tolist()
        [5, 7]
    """
    known = np.unique(holders * np.int64(items.stop) + held)
    drawn = np.zeros((len(rows), NEGATIVES), np.int64)
    question, place = (index.ravel() for index in np.indices(drawn.shape))
    for draw in range(_DRAWS):
        found = hashed(np.array([draw]), rows[question], steps[question], place) % np.uint64(len(items))
        drawn[question, place] = ids = found.astype(np.int64) + items.start
        pairs = rows[question] * np.int64(items.stop) + ids
        at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
        again = known[at] == pairs if len(known) else np.zeros(len(pairs), bool)
        question, place = question[again], place[again]
        if not len(question):
            break
    return drawn
