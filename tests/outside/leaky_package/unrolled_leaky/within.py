"""The share of numbers that are close."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.config import Part, option
from unrolled.metrics.judged import Values
from unrolled.metrics.metric import Measure, Sums


class Within:
    """The share of answers that are less than ``within`` deviations of training from the right number."""

    class Options(Part):
        within: float = option(0.5, "How near an answer is that counts as close, in deviations of training.", gt=0)

    judges: ClassVar[tuple[type, ...]] = (Values,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("close", "share", "higher"),)

    def __init__(self, options: Options) -> None:
        self.within = options.within

    def sums(self, judged: Values) -> Sums:
        known = ~judged.right.isnan()
        close = (judged.answer - judged.right)[known].abs() < self.within
        return {"close": close.sum(), "known": torch.tensor(int(known.sum()))}

    def values(self, sums: Sums) -> dict[str, float]:
        return {"close": float(sums["close"] / sums["known"])} if sums["known"] else {}


MEMBER = Within
