"""Loss: how surprised the model is by what is right, in nats."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.base import Measure, Sums
from unrolled.metrics.judged import Nats

__all__ = ["Loss"]


class Loss:
    r"""The mean of −ln p of what is right, under the name that it came with.

    .. math:: -\frac1N \sum_n \ln p(y_n)

    Of a choice it is called ``loss_nats_per_…``; of densities and of several values at once ``nll_nats_per_…``.

    References:
        Good, Rational Decisions, 1952. https://www.jstor.org/stable/2984087

    Example:
        >>> import torch
        >>> nats = Nats("loss_nats_per_token", torch.tensor(6.0), torch.tensor(4))
        >>> Loss().values(Loss().sums(nats))
        {'loss_nats_per_token': 1.5}
    """

    judges: ClassVar[tuple[type, ...]] = (Nats,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("loss_nats_per_*", "nats", "lower"),
        Measure("nll_nats_per_*", "nats", "lower"),
    )

    def sums(self, judged: Nats) -> Sums:
        return ratio(judged.name, judged.total.double(), judged.count)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Loss
