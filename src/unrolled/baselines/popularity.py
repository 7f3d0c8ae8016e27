"""Predicts how often each item occurs, whatever came before.

Axes: V items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._judged import judged_tokens
from unrolled.baselines._ranked import judged_places, places_of
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.metrics.judged import Answers

__all__ = ["Popularity"]


@dataclass(frozen=True, slots=True)
class Popularity:
    r"""Ranks items by their frequency in training, with add-one smoothing: :math:`p_v = (n_v + 1) / (n + V)`.

    What it shows: how much can be predicted without any memory; what a model gains over it comes from the items before.

    Applies to: the next item of a list.

    Cost: one count of the training items, O(1) per prediction.

    References:
        Shannon, Prediction and Entropy of Printed English, 1951. https://doi.org/10.1002/j.1538-7305.1951.tb01366.x

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> bought = Encoded(np.array([1, 2, 1, 2, 1]), np.array([0, 5]))
        >>> items = Examples({"x": bought}, {"x": Discrete(3)}, bought, Discrete(3), Next(), first_item=1)
        >>> scores(Popularity.fit(items).judge(items))["accuracy"]
        0.5
    """

    name: ClassVar[str] = "unigram"
    probabilities: np.ndarray  # (V,)

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, Next) and examples.first_item is not None

    @classmethod
    def fit(cls, train: Examples) -> Self:
        counts = np.bincount(target_of(train).values[asked_values(train)], minlength=classes(train)) + 1
        return cls(counts / counts.sum())

    def judge(self, part: Examples) -> Iterable[Answers]:
        first, values = part.first_item, target_of(part).values
        assert first is not None
        tokens = values[asked_values(part)]
        prediction = np.full(len(tokens), self.probabilities.argmax())
        judged = judged_tokens(part, -np.log(self.probabilities)[tokens], prediction, tokens)
        popular = places_of(self.probabilities[first:])
        places = judged_places(
            part, lambda steps: popular[values[steps] - first], lambda _, items: self.probabilities[items]
        )
        return [(*judged, *places)]


MEMBER = Popularity
