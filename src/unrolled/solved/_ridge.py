"""Ridge regression whose penalty is chosen by the exact errors of leaving out each row.

Axes: N rows, F features, O outputs, M the smaller of N and F.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor

__all__ = ["Ridge", "heat_of", "solve_ridge"]

_PENALTIES = torch.logspace(-4, 2, 13, dtype=torch.float64)  # times F
_BLOCK = 2048  # rows or features that are multiplied in float32 at once


class Ridge(NamedTuple):
    """A linear map of centred features: y = x W + b.

    Attributes:
        weight: (F, O) float32.
        bias: (O,) float32.
        left_out: (N, O) float32, what the map that is solved without a row answers for it.
        penalty: the chosen penalty.
    """

    weight: Tensor
    bias: Tensor
    left_out: Tensor
    penalty: float


def solve_ridge(features: Tensor, target: Tensor) -> Ridge:
    r"""The weights with the least :math:`\lVert Y - X W - b \rVert^2 + \lambda \lVert W \rVert^2`.

    The penalty λ is the one of thirteen, from 10⁻⁴ F to 10² F, with the smallest squared error of the rows left out.
    With hat values :math:`h_n`, a row's error when left out is its residual over :math:`1 - h_n`.

    Args:
        features: (N, F) float32, the mean of each over the rows is 0 and its deviation about 1.
        target: (N, O) float32.

    Cost: O(N F M + M³), from the Gram matrix of rows or of features, whichever is smaller.

    References:
        Hoerl and Kennard, 1970. https://doi.org/10.1080/00401706.1970.10488634
        Golub, Heath, Wahba 1979, leaving out rows. https://doi.org/10.1080/00401706.1979.10489751

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> found = solve_ridge(x, 3 * x + 1)
        >>> [round(float(number), 2) for number in (found.weight, found.bias)]
        [3.0, 1.0]
    """
    bias = target.double().mean(0)
    centred = target.double() - bias
    solved = _by_rows if len(features) <= features.shape[1] else _by_features
    penalties = _PENALTIES * features.shape[1]
    found = solved(features, centred, penalties)
    errors = found.residuals / (1 - found.hats - 1 / len(features)).clamp_min(1e-9)[..., None]  # (13, N, O)
    best = int(errors.square().mean((1, 2)).argmin())
    left_out = (target.double() - errors[best]).float()
    return Ridge(found.weights(best).float(), bias.float(), left_out, float(penalties[best]))


class _Solved(NamedTuple):
    """For each penalty: the weights, by its place, the residuals (13, N, O) and the hat values (13, N)."""

    weights: Callable[[int], Tensor]
    residuals: Tensor
    hats: Tensor


def _by_rows(features: Tensor, centred: Tensor, penalties: Tensor) -> _Solved:
    values, vectors = torch.linalg.eigh(_gram(features.T))
    values = values.clamp_min(0)
    turned = vectors.T @ centred
    # The mean of the features is 0, so that the vector of ones has the eigenvalue 0: no direction of the features.
    shrunk = [penalty / (values + penalty) for penalty in penalties]
    residuals = torch.stack([vectors @ (share[:, None] * turned) for share in shrunk])
    hats = torch.stack([vectors.square() @ (1 - share) for share in shrunk])

    def weights(best: int) -> Tensor:
        return features.T @ (residuals[best] / penalties[best]).float()

    return _Solved(weights, residuals, hats)


def _by_features(features: Tensor, centred: Tensor, penalties: Tensor) -> _Solved:
    values, vectors = torch.linalg.eigh(_gram(features))
    values = values.clamp_min(0)
    turned = vectors.T @ (features.T @ centred.float()).double()  # (F, O)
    rows = features @ vectors.float()  # (N, F)
    residuals = torch.stack([centred - (rows @ (turned / (values + p)[:, None]).float()).double() for p in penalties])
    hats = torch.stack([(rows.square() @ (1 / (values + p)).float()).double() for p in penalties])

    def weights(best: int) -> Tensor:
        return vectors @ (turned / (values + penalties[best])[:, None])

    return _Solved(weights, residuals, hats)


def _gram(rows: Tensor) -> Tensor:
    """``rowsᵀ rows`` in float64, from products in float32."""
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for part in torch.split(rows, _BLOCK):
        total += part.T @ part
    return total


def heat_of(scores: Tensor, target: Tensor) -> float:
    r"""What scores of left-out rows are multiplied by to be logits with the smallest cross-entropy.

    Every label is taken to be wrong in one row of N + 2, so that scores that are always right give no certainty.

    Args:
        scores: (N, K).
        target: (N,) int64 labels, or (N, K) with 1 for each label of a set.

    References:
        Guo et al. 2017, temperature. https://arxiv.org/abs/1706.04599
    """
    doubt, count = 1 / (len(scores) + 2), scores.shape[1]
    heats = torch.logspace(-1, 2, 91)
    if target.dtype == torch.int64:
        wanted = functional.one_hot(target, count) * (1 - doubt) + doubt / count
        losses = [-(wanted * torch.log_softmax(scores * heat, 1)).sum(1).mean() for heat in heats]
    else:
        wanted = target * (1 - doubt) + doubt / 2
        losses = [functional.binary_cross_entropy_with_logits(scores * heat, wanted) for heat in heats]
    return float(heats[int(torch.stack(losses).argmin())])
