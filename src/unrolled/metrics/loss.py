"""Loss: the mean negative log-likelihood of the right answers, in nats."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import Nats
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Loss"]


class Loss:
    r"""The mean of −ln p over the right answers, reported under the name given by the task.

    .. math:: -\frac1N \sum_n \ln p(y_n)

    It is named ``loss_nats_per_…`` for a choice of one, ``nll_nats_per_…`` for densities and several values at once.

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
        Measure("loss_nats_per_*", "nats", "lower", "back"),
        Measure("nll_nats_per_*", "nats", "lower", "back"),
    )

    def sums(self, judged: Nats) -> Sums:
        return ratio(judged.name, judged.total.double(), judged.count)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Loss
