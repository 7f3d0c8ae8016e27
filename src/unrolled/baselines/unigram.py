"""How often each token occurs, whatever came before."""

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
    r"""The frequencies of the training tokens, each counted once more than seen: :math:`p_v = (n_v + 1) / (n + V)`.

    What it shows: what is known without any memory. The distance from its loss to a model's is all that the model
    draws from context; a recurrent network that stops here has not learned to use its state. Of items it is their
    popularity, and ranks them by it.

    Applies to: the next token, and hidden ones: all that are known, of which a model is asked a share.

    Cost: one count of the training tokens, O(1) an answer.

    References:
        Shannon, Prediction and Entropy of Printed English, 1951. https://doi.org/10.1002/j.1538-7305.1951.tb01366.x

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.base import Encoded
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
