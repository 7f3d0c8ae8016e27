"""The Viterbi algorithm: the best path through a linear chain. Axes: B rows, T steps, K labels."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.batch import MISSING
from unrolled.decoding.validation import broken_scores, check_lengths
from unrolled.errors import ModelError, ShapeError

__all__ = ["viterbi"]


@torch.no_grad()
def viterbi(scores: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    r"""Find each row's labels with the highest sum of scores, and that sum.

    .. math:: \hat y = \arg\max_y \; s_0[K, y_0] + \sum_{t=1}^{T-1} s_t[y_{t-1}, y_t]

    The scores are those of any chain: emissions plus transitions of a conditional random field, or a hidden Markov
    model's :math:`\log p(y_t \mid y_{t-1}) + \log p(x_t \mid y_t)`. A score of ``-inf`` forbids a transition. Ties go
    to the path with the lower last label, then with the lower label before it, and so on.

    Args:
        scores: ``scores[:, t, i, j]`` for label j at step t after label i. Row i = K is the start: only it is used at
            step 0, and only there.
        lengths: the number of real steps of each row; padding is ignored.

    Shape:
        scores (B, T, K + 1, K) float; lengths (B,) integers, 0 … T; the labels (B, T) int64, -100 beyond each row's
        length; the sums (B,) float64, 0 of a row of length 0.

    Raises:
        ShapeError: ``scores`` is not (B, T, K + 1, K) with K ≥ 1, or ``lengths`` does not fit.
        ModelError: a score is NaN or ``+inf``, or no path of a row has a score above ``-inf``.

    Cost: O(B T K²), with K² additions per step and row; B T K numbers of memory.

    References:
        Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010

    Example:
        >>> scores = torch.zeros(1, 3, 3, 2)
        >>> scores[0, 0, 2] = torch.tensor([1.0, 0.0])  # begin with label 0
        >>> scores[0, :, 0, 1] = 2.0  # from 0 to 1
        >>> scores[0, :, 1, 0] = 1.0  # and back
        >>> viterbi(scores, torch.tensor([3]))
        (tensor([[0, 1, 0]]), tensor([4.], dtype=torch.float64))
    """
    if scores.dim() != 4 or scores.shape[2] != scores.shape[3] + 1 or scores.shape[3] == 0:
        raise ShapeError(f"scores is {tuple(scores.shape)}, expected (B, T, K + 1, K) with K at least 1")
    rows, steps, _, labels = scores.shape
    lengths = check_lengths(lengths, rows, steps).to(scores.device)
    real = torch.arange(steps, device=scores.device) < lengths.unsqueeze(1)  # (B, T)
    best = torch.zeros(rows, labels, dtype=torch.float64, device=scores.device)  # best sum of paths to each label
    same = torch.arange(labels, device=scores.device).expand(rows, labels)
    previous = []  # T - 1 times (B, K): the label before
    broken = torch.zeros(rows, dtype=torch.bool, device=scores.device)
    for t in range(steps):
        now = scores[:, t, labels:] if t == 0 else scores[:, t, :labels]  # (B, 1 or K, K)
        broken |= real[:, t] & (now.isnan() | now.isposinf()).flatten(1).any(1)
        total, before = (now + (best.unsqueeze(2) if t else 0.0)).double().max(1)  # (B, K)
        best = torch.where(real[:, t, None], total, best)
        if t:
            previous.append(torch.where(real[:, t, None], before, same))  # at padding the label is kept
    if broken.any():
        raise broken_scores(int(broken.nonzero()[0]))
    sums, label = best.max(1)  # (B,), (B,)
    if (lost := sums.isneginf()).any():
        raise ModelError(f"row {int(lost.nonzero()[0])}: every path through the labels has probability 0")
    path = [label]
    for before in reversed(previous):
        label = before.gather(1, label.unsqueeze(1)).squeeze(1)
        path.append(label)
    paths = torch.stack(path[::-1], 1)[:, :steps]  # (B, T)
    return paths.masked_fill(~real, MISSING), sums
