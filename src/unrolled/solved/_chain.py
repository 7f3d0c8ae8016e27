"""The likelihood of linear chains whose transitions are the same at every step, and its gradient, without autograd.

`unrolled.layers.crf` takes any potentials; here they are emissions plus a matrix, so that a step of the forward
algorithm is a product of two matrices.

Axes: R rows, N steps of all rows, K labels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Packed", "chain_nats", "packed"]

_LONGEST = 256  # steps of a piece; longer rows are cut


class Packed(NamedTuple):
    """Pieces of rows, step by step: first the first steps of all pieces, then the second steps, and so on.

    Attributes:
        order: (N,) the steps in this order.
        counts: of each step, how many pieces have it; the longest pieces come first.
        begins: (R,) bool, whether a piece is the beginning of its row.
    """

    order: np.ndarray
    counts: list[int]
    begins: Tensor


def packed(lengths: np.ndarray) -> Packed:
    """The steps of rows with these lengths, end to end, as pieces of at most 256 steps.

    Example:
        >>> packed(np.array([1, 3])).order.tolist(), packed(np.array([1, 3])).counts
        ([1, 0, 2, 3], [2, 1, 1])
    """
    pieces = -(-lengths // _LONGEST)
    first = np.repeat(np.cumsum(lengths) - lengths, pieces)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    sizes = np.minimum(np.repeat(lengths, pieces) - number * _LONGEST, _LONGEST)
    longest = np.argsort(-sizes, kind="stable")
    starts, sizes = (first + number * _LONGEST)[longest], sizes[longest]
    counts = [int(count) for count in (sizes[:, None] > np.arange(sizes.max(initial=0))).sum(0)]
    order = np.concatenate([np.zeros(0, np.int64), *(starts[:count] + t for t, count in enumerate(counts))])
    return Packed(order, counts, torch.from_numpy(number[longest] == 0))


def chain_nats(
    emissions: Tensor, transitions: Tensor, allowed: Tensor | None, rows: Packed
) -> tuple[float, Tensor, Tensor]:
    r"""Log Z of all pieces together, and its gradient: the chances of labels and the expected counts of transitions.

    .. math:: a_t \propto e^{E_t} \odot (e^{A\top} a_{t-1}), \quad b_{t-1} \propto e^A (e^{E_t} \odot b_t), \quad
        p(y_t = k) \propto a_{tk} b_{tk}

    Args:
        emissions: (N, K) the score of each label at each step, in the order of ``rows``.
        transitions: (K + 1, K) the score of label j after label i; row K is the beginning of a row.
        allowed: (N, K) bool, the labels that a path may take; ``None``: all of them.
        rows: the steps of each piece.

    Returns:
        log Z, (N, K) float64 chances, and (K + 1, K) float64 expected counts.

    References:
        Rabiner, 1989 (scaled forward and backward). https://doi.org/10.1109/5.18626
    """
    scores = emissions.double()
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    top = scores.max(1, keepdim=True).values
    here, after = (scores - top).exp(), transitions[:-1].double().exp()  # (N, K), (K, K)
    first = torch.where(rows.begins[:, None], transitions[-1].double(), 0.0).exp()  # (R, K)
    bounds = np.concatenate([[0], np.cumsum(rows.counts)]).tolist()
    steps = [slice(a, b) for a, b in pairwise(bounds)]
    forward, norms = torch.empty_like(here), here.new_empty(len(here), 1)
    before = first
    for t, step in enumerate(steps):
        if t:
            before = forward[steps[t - 1]][: rows.counts[t]] @ after
        now = before * here[step]
        norms[step] = now.sum(1, keepdim=True).clamp_min(1e-300)
        forward[step] = now / norms[step]
    backward, counts = torch.ones_like(here), torch.zeros_like(transitions, dtype=torch.float64)
    for t in range(len(steps) - 1, 0, -1):
        step, earlier = steps[t], steps[t - 1]
        reached = here[step] * backward[step] / norms[step]
        backward[earlier][: rows.counts[t]] = reached @ after.T
        counts[:-1] += forward[earlier][: rows.counts[t]].T @ reached
    counts[:-1] *= after
    chances = forward * backward
    if steps:
        counts[-1] = chances[steps[0]][rows.begins].sum(0)
    return float(norms.log().sum() + top.sum()), chances, counts
