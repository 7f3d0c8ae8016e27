"""Searches over the scores of the graph: the likeliest sequence that is written, the likeliest path. Needs only NumPy.

Part of a model exported by Unrolled. Axes: B rows, T steps, K labels or symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_PENALTY = 0.6  # of long sequences, which are less likely: ids of n symbols are ranked by log p / ((5 + n) / 6)^0.6
_RARE = 1e-5  # a symbol this much less likely than the likeliest one of a frame is not tried there

Step = Callable[[list[int], list[int]], np.ndarray]


def beam_search(step: Step, rule: dict[str, Any]) -> list[int]:
    """The likeliest ids after the beginning, up to the end: the best of ``rule["beam"]`` hypotheses at each step.

    Args:
        step: the last ids of the hypotheses, and the row of the step before that each of them goes on -> log p (B, K).
        rule: the entry ``answer`` of signature.json.
    """
    width, longest, end = rule["beam"], rule["longest"], rule["end"]
    waiting: list[tuple[float, list[int]]] = [(0.0, [])]
    log_p, found = step([rule["begin"]], [0]), list[tuple[float, list[int]]]()
    for length in range(longest + 1):
        last, ranked = length == longest, list[tuple[float, list[int], int]]()
        for at, (score, ids) in enumerate(waiting):
            row = log_p[at].astype(np.float64)
            row[rule["never"]] = -np.inf
            others = np.where(np.arange(len(row)) == end, -np.inf, row)
            tried = [end] if last else [end, *np.argsort(-others, kind="stable")[:width].tolist()]
            ranked += [(score + float(row[one]), [*ids, one], at) for one in tried if last or row[one] > -np.inf]
        ranked.sort(key=lambda one: (-one[0], one[1]))
        found += [(_merit(score, length), ids[:-1]) for score, ids, _ in ranked[:width] if ids[-1] == end]
        going = sorted((one for one in ranked if one[1][-1] != end), key=lambda one: -one[0])[:width]
        best = max((merit for merit, _ in found), default=-np.inf)
        if not going or len(found) >= width or _merit(going[0][0], longest) < best:
            break
        going.sort(key=lambda one: one[1])
        waiting = [(score, ids) for score, ids, _ in going]
        log_p = step([ids[-1] for _, ids in waiting], [at for *_, at in going])
    return min(found, key=lambda one: (-one[0], one[1]))[1]


def _merit(score: float, length: int) -> float:
    return float(score / ((5 + length) / 6) ** _PENALTY)


def merged_search(log_p: np.ndarray, width: int, blank: int) -> list[int]:
    """The likeliest labelling of frames (T, K), over all ways to write it with blanks and repetitions.

    Args:
        log_p: (T, K).
        width: how many beginnings of a labelling are kept after each frame; 1 takes the likeliest symbol of each.
        blank: the symbol that stands for nothing.
    """
    if width == 1:
        best = log_p.argmax(-1)
        kept = (best != blank) & np.append(True, best[1:] != best[:-1])[: len(best)]
        return [int(one) for one in best[kept]]
    chances = {(): (1.0, 0.0)}  # of those that end in a blank, and of those that end in a symbol
    for frame in np.exp(log_p.astype(np.float64) - log_p.max(-1, keepdims=True)):
        worth = [int(one) for one in np.flatnonzero((frame > 0) & (frame >= _RARE)) if one != blank]
        grown: dict[tuple[int, ...], list[float]] = {}
        for ids, (quiet, loud) in chances.items():
            same = grown.setdefault(ids, [0.0, 0.0])
            same[0] += (quiet + loud) * frame[blank]
            same[1] += loud * frame[ids[-1]] if ids else 0.0
            for one in worth:  # a symbol that follows itself needs a blank between
                longer = grown.setdefault((*ids, one), [0.0, 0.0])
                longer[1] += (quiet if ids and ids[-1] == one else quiet + loud) * frame[one]
        best = sorted(grown.items(), key=lambda one: -sum(one[1]))[:width]
        most = sum(best[0][1])
        chances = {ids: (quiet / most, loud / most) for ids, (quiet, loud) in best}
    return list(min(chances, key=lambda ids: (-sum(chances[ids]), ids)))


def viterbi(potentials: np.ndarray) -> np.ndarray:
    """(T,) the path with the highest sum of (T, K + 1, K) potentials; row K of the first step is the beginning."""
    if not len(potentials):
        return np.zeros(0, np.int64)
    score, back = potentials[0, -1], []
    for step in potentials[1:, :-1]:
        paths = score[:, None] + step
        back.append(paths.argmax(0))
        score = paths.max(0)
    path = [int(score.argmax())]
    for before in reversed(back):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1], np.int64)


def marginals(potentials: np.ndarray) -> np.ndarray:
    """(T, K) the probability of each label at each step, over all paths."""
    if not len(potentials):
        return np.zeros((0, potentials.shape[-1]))
    forward, backward = [potentials[0, -1]], [np.zeros(potentials.shape[-1])]
    for step in potentials[1:, :-1]:
        forward.append(_log_sum(forward[-1][:, None] + step, 0))
    for step in potentials[:0:-1, :-1]:
        backward.append(_log_sum(step + backward[-1], 1))
    both = np.stack(forward) + np.stack(backward[::-1])
    found: np.ndarray = np.exp(both - _log_sum(both, 1)[:, None])
    return found


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    most = values.max(axis, keepdims=True)
    return (most + np.log(np.exp(values - most).sum(axis, keepdims=True))).squeeze(axis)
