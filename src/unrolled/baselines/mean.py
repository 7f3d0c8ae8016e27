"""Predicts the training mean, whatever the input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, target_of
from unrolled.baselines._forecasts import asks_for_numbers, judge_windows, means, next_values
from unrolled.baselines._judged import judged_next, judged_numbers
from unrolled.batch import Continuous
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.metrics.judged import Answers

__all__ = ["Mean"]


@dataclass(frozen=True, slots=True)
class Mean:
    r"""Predicts each channel's mean over the training split: :math:`\hat y = \bar y_{\text{train}}`.

    What it shows: how much there is to explain. Its squared error is the variance (1 in scaled units, if the split
    is like the training split), and its r2 is 0 or less. A long-range forecast that is worse than this is useless.

    Applies to: a number for each row, forecasts, and next steps that are real vectors.

    Cost: one mean, O(1) per prediction.

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html

    Example:
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> x, y = Encoded(np.zeros((3, 1)), None), Encoded(np.array([[0.0], [1.0], [2.0]]), None)
        >>> spec = Continuous(1, time=False)
        >>> rows = Examples({"x": x}, {"x": spec}, y, spec, One())
        >>> scores(Mean.fit(rows).judge(rows))["r2"]
        0.0
    """

    name: ClassVar[str] = "mean"
    values: np.ndarray  # (W,)

    @staticmethod
    def applies(examples: Examples) -> bool:
        number = isinstance(examples.form, One) and isinstance(examples.target_spec, Continuous)
        return number or asks_for_numbers(examples)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        return cls(means(train))

    def judge(self, part: Examples) -> Iterable[Answers]:
        if isinstance(part.form, Horizon):
            return judge_windows(part, lambda *_: self.values)
        if isinstance(part.form, Next):
            return [(judged_next(self.values, next_values(part)),)]
        target = target_of(part).values[asked_values(part), 0]
        return [judged_numbers(part, np.full(len(target), self.values[0]), target)]


MEMBER = Mean
