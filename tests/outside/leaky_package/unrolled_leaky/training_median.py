"""The training median, whatever the input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from unrolled.batch import Continuous
from unrolled.config import Part, option
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.metrics.judged import Answers, Values


@dataclass(frozen=True)
class TrainingMedian:
    """ŷ = the median of the training targets but for the highest ones, as many as ``trim`` says."""

    class Options(Part):
        trim: float = option(0.0, "Share of the highest targets that the training median leaves out.", ge=0, lt=1)

    name: ClassVar[str] = "median"
    value: float

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, One) and isinstance(examples.target_spec, Continuous)

    @classmethod
    def fit(cls, train: Examples, options: Options) -> Self:
        assert train.target is not None
        values = np.sort(train.target.values[~np.isnan(train.target.values)])
        return cls(float(np.median(values[: max(1, round(len(values) * (1 - options.trim)))])))

    def judge(self, part: Examples) -> Iterable[Answers]:
        assert part.target is not None
        right = torch.tensor(part.target.values[:, 0])
        std = 1.0 if part.units is None else float(part.units.std[0])
        return [(Values(torch.full_like(right, self.value), right, std),)]


MEMBER = TrainingMedian
