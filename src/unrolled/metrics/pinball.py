"""Pinball loss: how good forecast quantiles are."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from unrolled.metrics._ratios import known_mean, ratios
from unrolled.metrics.judged import Quantiles
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Pinball", "pinball"]


def pinball(judged: Quantiles) -> Tensor:
    """(…) float64: the pinball loss of each value, averaged over its quantiles."""
    values = judged.values.double()
    levels = values.new_tensor(judged.levels)
    error = judged.right.double()[..., None] - values
    return (levels * error).maximum((levels - 1) * error).mean(-1)


class Pinball:
    r"""The mean pinball loss over values and quantiles, which is lowest for the true quantiles.

    .. math:: \frac1{NQ} \sum_{nq} \max\big(q (y_n - \hat y_{nq}), (q - 1) (y_n - \hat y_{nq})\big)

    References:
        Koenker and Bassett, Regression Quantiles, 1978. https://doi.org/10.2307/1913643

    Example:
        >>> import torch
        >>> quantiles = Quantiles((0.1, 0.5), torch.tensor([[0.0, 1.0]]), torch.tensor([2.0]))
        >>> round(Pinball().values(Pinball().sums(quantiles))["pinball_scaled"], 6)
        0.35
    """

    judges: ClassVar[tuple[type, ...]] = (Quantiles,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("pinball_scaled", "training standard deviations", "lower", "back"),
    )

    def sums(self, judged: Quantiles) -> Sums:
        return known_mean("pinball_scaled", pinball(judged), judged.right)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Pinball
