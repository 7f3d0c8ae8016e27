"""Viterbi's algorithm: the best path through a chain of labels. Axes: B rows, T steps, K labels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["viterbi"]


def viterbi(potentials: Tensor, lengths: Tensor) -> list[list[int]]:
    """The path of labels that is worth most, for each row."""
    rows, steps = potentials.shape[:2]
    if not steps:
        return [[] for _ in range(rows)]
    best = potentials[:, 0, -1]
    back = []
    for t in range(1, steps):
        value, came = (best.unsqueeze(2) + potentials[:, t, :-1]).max(1)
        back.append(came)
        best = torch.where((t < lengths).unsqueeze(1), value, best)
    paths = []
    for row, length in enumerate(lengths.tolist()):
        path = [int(best[row].argmax())] if length else []
        for t in range(length - 1, 0, -1):
            path.append(int(back[t - 1][row, path[-1]]))
        paths.append(path[::-1])
    return paths
