"""Bits per token: the code length of a text under the model's probabilities."""

from __future__ import annotations

import math
from typing import ClassVar

from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import CodeLength
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Bits"]


class Bits:
    r"""The mean code length of a token in bits.

    .. math:: -\frac1N \sum_n \log_2 p(y_n)

    References:
        Shannon, A Mathematical Theory of Communication, 1948. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Example:
        >>> import torch
        >>> length = CodeLength(torch.tensor(4 * math.log(2)), torch.tensor(2), per="character")
        >>> {name: round(value, 6) for name, value in Bits().values(Bits().sums(length)).items()}
        {'bits_per_character': 2.0}
    """

    judges: ClassVar[tuple[type, ...]] = (CodeLength,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("bits_per_*", "bits", "lower"),)

    def sums(self, judged: CodeLength) -> Sums:
        return ratio(f"bits_per_{judged.per}", judged.nats.double(), judged.count)

    def values(self, sums: Sums) -> dict[str, float]:
        return {name: nats / math.log(2) for name, nats in ratios(sums).items()}


MEMBER = Bits
