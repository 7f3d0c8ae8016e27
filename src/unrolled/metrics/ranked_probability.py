"""CRPS, the continuous ranked probability score: how good a forecast distribution is."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Gaussians, Points, Quantiles
from unrolled.metrics.metric import Measure, Sums
from unrolled.metrics.pinball import pinball

__all__ = ["CRPS", "gaussian_crps"]


class CRPS:
    r"""The continuous ranked probability score, in units of the training standard deviation.

    .. math:: \frac1N \sum_n \int (F_n(x) - [x \ge y_n])^2 \, dx

    It is exact for a Gaussian. For quantiles it is approximated by twice their mean pinball loss, which is accurate if
    there are many at even distances. For a point forecast it is the absolute error.

    References:
        Gneiting and Raftery 2007, https://doi.org/10.1198/016214506000001437
        Gneiting and Ranjan 2011, of quantiles, https://doi.org/10.1198/jbes.2010.08110

    Example:
        >>> score = CRPS()
        >>> score.values(score.sums(Points(torch.tensor([1.0]), torch.tensor([4.0]))))
        {'crps_scaled': 3.0}
        >>> score.values(score.sums(Quantiles((0.5,), torch.tensor([[1.0]]), torch.tensor([4.0]))))
        {'crps_scaled': 3.0}
    """

    judges: ClassVar[tuple[type, ...]] = (Gaussians, Quantiles, Points)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("crps_scaled", "training standard deviations", "lower", "back"),)

    def sums(self, judged: Gaussians | Quantiles | Points) -> Sums:
        return known_mean("crps_scaled", _each(judged), judged.right)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


def _each(judged: Gaussians | Quantiles | Points) -> Tensor:
    if isinstance(judged, Gaussians):
        return gaussian_crps(judged.mean.double(), judged.sigma.double(), judged.right.double())
    if isinstance(judged, Quantiles):
        return 2 * pinball(judged)
    return (judged.answer.double() - judged.right.double()).abs()


def gaussian_crps(mean: Tensor, sigma: Tensor, right: Tensor) -> Tensor:
    r"""The CRPS of each Gaussian in closed form, :math:`\sigma (z (2 \Phi(z) - 1) + 2 \varphi(z) - 1 / \sqrt\pi)` with
    :math:`z = (y - \mu) / \sigma`.

    Args:
        mean: μ.
        sigma: σ > 0.
        right: y; NaN stays NaN.

    Shape:
        Float tensors that broadcast to one shape.

    Example:
        >>> round(float(gaussian_crps(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.0))), 4)
        0.2337
    """
    z = (right - mean) / sigma
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return sigma * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


MEMBER = CRPS
