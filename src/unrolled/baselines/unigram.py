"""Predicts how often each token occurs, whatever came before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._judged import judged_tokens
from unrolled.baselines._ranked import judged_places, places_of
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.fill import FillIn
from unrolled.data.forms.next import Next
from unrolled.metrics.judged import Answers

__all__ = ["Unigram"]


@dataclass(frozen=True, slots=True)
class Unigram:
    r"""Predicts the frequencies of the training tokens, with add-one smoothing: :math:`p_v = (n_v + 1) / (n + V)`.

    What it shows: how much can be predicted without any memory. The difference between its loss and a model's is what
    the model gains from context; a recurrent network that is no better has not learned to use its state. Items are
    ranked by their popularity.

    Applies to: the next token, and hidden tokens; it is scored on all known tokens, a model only on the hidden ones.

    Cost: one count of the training tokens, O(1) per prediction.

    References:
        Shannon, Prediction and Entropy of Printed English, 1951. https://doi.org/10.1002/j.1538-7305.1951.tb01366.x

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> text = Encoded(np.array([0, 1, 0, 1, 0]), np.array([0, 5]))
        >>> tokens = Examples({"x": text}, {"x": Discrete(2)}, text, Discrete(2), Next())
        >>> scores(Unigram.fit(tokens).judge(tokens))["accuracy"]
        0.5
    """

    name: ClassVar[str] = "unigram"
    probabilities: np.ndarray  # (V,)

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, Next | FillIn) and classes(examples) > 0

    @classmethod
    def fit(cls, train: Examples) -> Self:
        counts = np.bincount(target_of(train).values[asked_values(train)], minlength=classes(train)) + 1
        return cls(counts / counts.sum())

    def judge(self, part: Examples) -> Iterable[Answers]:
        tokens = target_of(part).values[asked_values(part)]
        prediction = np.full(len(tokens), self.probabilities.argmax())
        judged = judged_tokens(part, -np.log(self.probabilities)[tokens], prediction, tokens)
        if (first := part.first_item) is None:
            return [judged]
        values = target_of(part).values
        popular = places_of(self.probabilities[first:])
        places = judged_places(
            part, lambda steps: popular[values[steps] - first], lambda _, items: self.probabilities[items]
        )
        return [(*judged, *places)]


MEMBER = Unigram
