"""Ranks of items for the baselines that count items, without a score for every pair of question and item.

Axes: Q questions, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.data.batches.negatives import NEGATIVES, negatives
from unrolled.data.encodings._level import UNKNOWN
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Ranks
from unrolled.metrics.ranking import ranks

__all__ = ["before", "judged_places", "places_of"]

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (Q,) places of steps, (Q, C) items -> (Q, C) scores

_CHUNK = 1 << 14  # questions ranked at a time


def places_of(weights: np.ndarray) -> np.ndarray:
    """(V,) int64: for each item, how many items weigh at least as much, including itself.

    Example:
        >>> places_of(np.array([2.0, 9.0, 2.0])).tolist()
        [3, 1, 3]
    """
    return len(weights) - np.searchsorted(np.sort(weights), weights, side="left")


def before(examples: Examples, steps: np.ndarray) -> np.ndarray:
    """(Q,) int64: the symbol before each of ``steps``, which are not the first of their rows."""
    return target_of(examples).values[steps - 1].astype(np.int64)


def judged_places(part: Examples, places: Callable[[np.ndarray], np.ndarray], score: Score) -> tuple[Ranks, ...]:
    """The rank of the right item among all items, and among a sample, for each scored step of ``part``.

    Args:
        part: the split to predict.
        places: (Q,) steps with a known item -> (Q,) rank of the item among all items; ties count against it.
        score: gives the score of several items at each step.
    """
    target, first = target_of(part), part.first_item
    assert first is not None and target.offsets is not None
    items, steps = range(first, classes(part)), asked_values(part)
    values = target.values.astype(np.int64)
    steps = steps[(values[steps] >= first) | (values[steps] == UNKNOWN)]
    known = values[steps] >= first
    place = np.full(len(steps), np.inf)
    place[known] = places(steps[known])
    found = Ranks(torch.from_numpy(place))
    if len(items) <= NEGATIVES:
        return (found,)
    among = np.full(len(steps), np.inf)
    rows = np.repeat(np.arange(len(target.offsets) - 1), target.lengths())
    for start in range(0, len(steps), _CHUNK):
        here = np.arange(start, min(start + _CHUNK, len(steps)))[known[start : start + _CHUNK]]
        at = steps[here]
        whose = np.isin(rows, rows[at])
        asked = at - target.offsets[rows[at]] - 1  # a model predicts at the step before
        drawn = negatives(rows[at], asked, rows[whose], values[whose], items)
        scores = score(at, np.concatenate([values[at][:, None], drawn], 1))  # (Q, 101)
        among[here] = ranks(torch.from_numpy(scores), torch.zeros(len(at), dtype=torch.int64)).numpy()
    return found, Ranks(torch.from_numpy(among), sampled=True)
