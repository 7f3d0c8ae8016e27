"""The training median, whatever the input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from unrolled.batch import Continuous
from unrolled.data.examples import Examples
from unrolled.data.forms.one import One
from unrolled.metrics.judged import Answers, Values


@dataclass(frozen=True)
class TrainingMedian:
    """ŷ = the median of the training targets."""

    name: ClassVar[str] = "median"
    value: float

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, One) and isinstance(examples.target_spec, Continuous)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        assert train.target is not None
        return cls(float(np.nanmedian(train.target.values)))

    def judge(self, part: Examples) -> Iterable[Answers]:
        assert part.target is not None
        right = torch.tensor(part.target.values[:, 0])
        std = 1.0 if part.units is None else float(part.units.std[0])
        return [(Values(torch.full_like(right, self.value), right, std),)]


MEMBER = TrainingMedian
