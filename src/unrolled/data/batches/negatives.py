"""Items that a row does not hold, drawn to set the right one among them. Axes: N questions, M items of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unrolled.data.plans.masking import hashed

__all__ = ["NEGATIVES", "negatives"]

NEGATIVES = 100
_DRAWS = 50  # for one place; only a row that holds nearly every item there is has an item of its own there then


def negatives(
    rows: np.ndarray, steps: np.ndarray, holders: np.ndarray, held: np.ndarray, items: range
) -> npt.NDArray[np.int64]:
    """For each question 100 items that its row does not hold, each of them as likely, one perhaps twice.

    They are a pure function of row and step: neither the batch nor what was drawn before has a say in them, and all
    models of the same split are judged by the same.

    Args:
        rows, steps: which questions.
        holders, held: each item of the rows, and whose it is.
        items: the ids that there are.

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
