"""Predicts that the last value continues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values
from unrolled.baselines._forecasts import asks_for_numbers, judge_windows, known_so_far, means, next_values
from unrolled.baselines._judged import judged_next
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.metrics.judged import Answers

__all__ = ["LastValue"]


@dataclass(frozen=True, slots=True)
class LastValue:
    r"""Predicts that each channel keeps its last known value: :math:`\hat y_{t+h} = y_t` for every h.

    Missing values are skipped; if nothing is known yet, the prediction is the training mean.

    What it shows: nothing better is possible for a random walk, such as prices; a model that tracks a curve closely
    often only repeats it one step late, as this does.

    Applies to: forecasts, and next steps that are real vectors.

    Cost: O(1) per prediction.

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.horizon import Horizon
        >>> from unrolled.metrics.scoring import scores
        >>> ramp = Encoded(np.arange(5, dtype=np.float32)[:, None], np.array([0, 5]))
        >>> steps = Examples({"x": ramp}, {"x": Continuous(1)}, ramp, Continuous(1), Horizon(2))
        >>> scores(LastValue.fit(steps).judge(steps))["mse_scaled"]
        2.5
    """

    name: ClassVar[str] = "last value"
    otherwise: np.ndarray  # (W,) the prediction if nothing is known

    @staticmethod
    def applies(examples: Examples) -> bool:
        return asks_for_numbers(examples)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        return cls(means(train))

    def judge(self, part: Examples) -> Iterable[Answers]:
        known = known_so_far(part, self.otherwise)
        if isinstance(part.form, Next):
            return [(judged_next(known[asked_values(part) - 1], next_values(part)),)]
        return judge_windows(part, lambda _, stops: known[stops - 1][:, None])


MEMBER = LastValue
