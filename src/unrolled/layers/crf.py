r"""A linear-chain conditional random field: it chooses labels together, by how well each follows the one before.

Axes: B rows, T steps, H width, K labels; index K of a potential's second to last axis is the beginning of a row.

Every function here takes *potentials* :math:`\phi_t(i, j)` of shape (B, T, K + 1, K): the score of label j at step t
after label i. At a row's first step only i = K counts. A row without steps has one path, with the score 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.batch import MISSING
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.graph import Value, concat
from unrolled.layers.lengths import check_lengths, real_steps

__all__ = ["CRF", "FORBIDDEN", "crf_log_partition", "crf_potentials", "crf_score"]

# Score of a forbidden transition, in nats. With -inf, a target that breaks the rule would have an infinite loss, whose
# gradient, inf - inf, is NaN. exp(-10 000) is 0 in every dtype, so allowed paths have the same probability as with
# -inf, and a bias of this size never moves, because its gradient is 0.
FORBIDDEN = -1e4


class CRF(nn.Module):
    r"""A network head that scores whole paths of labels: it computes potentials from features.

    .. math:: \phi_t(i, j) = (W h_t)_j + A_{ij}, \qquad
        p(y \mid h) = \exp\Bigl(\sum_t \phi_t(y_{t-1}, y_t)\Bigr) / Z(h), \quad y_0 = K

    ``bias`` is A, flattened. It includes a bias for each label, since :math:`A_{ij} + b_j` is again such a matrix.

    Args:
        input_size: H ≥ 1.
        outputs: O = (K + 1)·K for K ≥ 1 labels.

    Shape:
        h (…, H) float -> (…, O), the potentials (K + 1, K) flattened.

    Raises:
        UsageError: ``outputs`` is not (K + 1)·K.

    Cost:
        K·H multiply-adds and (K + 1)·K additions a step; `crf_log_partition` (K + 1)·K exponentials a step.

    References:
        Lafferty, McCallum and Pereira, 2001. https://repository.upenn.edu/cis_papers/159
        Lample et al., 2016, over a recurrent network. https://arxiv.org/abs/1603.01360

    Example:
        >>> CRF(8, outputs=3 * 2)(torch.zeros(5, 7, 8)).shape
        torch.Size([5, 7, 6])
    """

    def __init__(self, input_size: int, outputs: int) -> None:
        super().__init__()
        self.labels = _labels(outputs)
        self.weight = nn.Parameter(torch.empty(self.labels, input_size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Linear does

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.weight.shape[1]}, {len(self.bias)}"

    def forward(self, h: Tensor) -> Tensor:
        """The potentials of each step."""
        emissions = linear(h, self.weight)  # (…, K)
        return (emissions.unsqueeze(-2) + self.bias.view(-1, self.labels)).flatten(-2)

    def graph(self, h: Value) -> Value:
        """The potentials of each step as operators."""
        emissions = h.graph.linear(h, self.weight)
        return concat([emissions] * (len(self.bias) // self.labels), 2) + h.graph.constant(self.bias)


def crf_potentials(outputs: Tensor) -> Tensor:
    """Reshape the head's outputs (B, T, (K + 1)·K) to potentials (B, T, K + 1, K)."""
    return outputs.view(*outputs.shape[:-1], -1, _labels(outputs.shape[-1]))


def crf_log_partition(potentials: Tensor, lengths: Tensor) -> Tensor:
    r"""The logarithm of the sum over all paths of labels, by the forward algorithm.

    .. math:: \alpha_1(j) = \phi_1(K, j), \quad
        \alpha_t(j) = \log \sum_i \exp(\alpha_{t-1}(i) + \phi_t(i, j)), \quad
        \log Z = \log \sum_j \exp \alpha_n(j)

    Its gradient is the probability of each pair of neighbouring labels.

    Args:
        potentials: values beyond a row's length are ignored, even NaN.
        lengths: 0 … T.

    Shape:
        potentials (B, T, K + 1, K) float, lengths (B,) integers -> (B,), 0 for a row of length 0.

    Raises:
        ShapeError: potentials or lengths does not fit.

    Cost: B·T·K² exponentials.

    References:
        Rabiner, 1989. https://doi.org/10.1109/5.18626

    Example:
        >>> potentials = torch.zeros(1, 3, 3, 2)  # two labels, three steps: eight paths, all alike
        >>> round(crf_log_partition(potentials, torch.tensor([3])).exp().item(), 4)
        8.0
    """
    potentials, real = _real(potentials, lengths)
    if not potentials.shape[1]:
        return potentials.new_zeros(len(potentials))
    # unbind, because the gradient of potentials[:, t] is as large as all of them, at every t.
    first, *rest = potentials.unbind(1)
    alpha = first[:, -1]  # (B, K)
    for t, step in enumerate(rest, 1):
        longer = torch.logsumexp(alpha.unsqueeze(2) + step[:, :-1], dim=1)
        alpha = torch.where(real[:, t, None], longer, alpha)
    return torch.where(real[:, 0], torch.logsumexp(alpha, dim=1), 0.0)


def crf_score(potentials: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    r"""The score of each row's target path: :math:`\sum_t \phi_t(y_{t-1}, y_t)`.

    If labels are missing, it is the logarithm of the sum over all paths that agree with the known labels, so
    ``crf_log_partition(…) - crf_score(…)`` is always the negative log-likelihood of the known labels.

    Args:
        potentials, lengths: as for `crf_log_partition`.
        target: labels 0 … K - 1, or `MISSING`; values beyond a row's length are ignored.

    Shape:
        potentials (B, T, K + 1, K) float, target (B, T) int64, lengths (B,) integers -> (B,).

    Raises:
        ShapeError: an argument does not fit.

    Cost: B·T look-ups; with missing labels as `crf_log_partition`.

    Example:
        >>> potentials = torch.arange(12.0).reshape(1, 2, 3, 2)
        >>> crf_score(potentials, torch.tensor([[1, 0]]), torch.tensor([2])).item()  # 5, from the beginning, and 8
        13.0
    """
    potentials, real = _real(potentials, lengths)
    if target.shape != real.shape:
        raise ShapeError(f"crf: target has shape {tuple(target.shape)}, expected (B, T) = {tuple(real.shape)}")
    if bool(((target == MISSING) & real).any()):
        labels = torch.arange(potentials.shape[-1], device=target.device)
        known = (real & (target != MISSING)).unsqueeze(2)  # (B, T, 1)
        other = known & (labels != target.unsqueeze(2))  # (B, T, K)
        return crf_log_partition(potentials + FORBIDDEN * other.unsqueeze(2), lengths)
    target = torch.where(real, target, 0)
    before = torch.cat([target.new_full((len(target), 1), potentials.shape[-1]), target[:, :-1]], 1)
    places = (before * potentials.shape[-1] + target).unsqueeze(2)  # (B, T, 1)
    return potentials.flatten(2).gather(2, places).squeeze(2).masked_fill(~real, 0.0).sum(1)


def _labels(outputs: int) -> int:
    labels = (math.isqrt(4 * outputs + 1) - 1) // 2
    if outputs < 1 or labels * (labels + 1) != outputs:
        raise UsageError(f"a CRF with K labels has (K + 1)·K outputs, such as 6 for 2 labels, got {outputs}")
    return labels


def _real(potentials: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The potentials with 0 beyond each row's length, and (B, T) bool: which steps are real."""
    shape = tuple(potentials.shape)
    if len(shape) != 4 or shape[2] != shape[3] + 1:
        raise ShapeError(f"crf: potentials has shape {shape}, expected (B, T, K + 1, K)")
    check_lengths(lengths, potentials, "crf")
    real = real_steps(lengths, shape[1])
    return torch.where(real[..., None, None], potentials, 0.0), real
