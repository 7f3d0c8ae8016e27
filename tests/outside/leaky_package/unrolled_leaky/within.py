"""The share of numbers that are close."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics.base import Measure, Sums
from unrolled.metrics.judged import Values


class Within:
    """The share of answers that are less than half a deviation of training from the right number."""

    judges: ClassVar[tuple[type, ...]] = (Values,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("within_half_deviation", "share", "higher"),)

    def sums(self, judged: Values) -> Sums:
        known = ~judged.right.isnan()
        close = (judged.answer - judged.right)[known].abs() < 0.5
        return {"close": close.sum(), "known": torch.tensor(int(known.sum()))}

    def values(self, sums: Sums) -> dict[str, float]:
        return {"within_half_deviation": float(sums["close"] / sums["known"])} if sums["known"] else {}


MEMBER = Within
