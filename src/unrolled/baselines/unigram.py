"""How often each token occurs, whatever came before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._ranked import places_of, ranking_scores
from unrolled.baselines.questions import asked_values, classes, label_scores, target_of
from unrolled.data.examples import Examples
from unrolled.data.forms.fill import FillIn
from unrolled.data.forms.next import Next

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
        >>> from unrolled.data.encoded import Encoded
        >>> text = Encoded(np.array([0, 1, 0, 1, 0]), np.array([0, 5]))
        >>> tokens = Examples({"x": text}, {"x": Discrete(2)}, text, Discrete(2), Next())
        >>> Unigram.fit(tokens).score(tokens)["accuracy"]
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

    def score(self, part: Examples) -> dict[str, float]:
        tokens = target_of(part).values[asked_values(part)]
        prediction = np.full(len(tokens), self.probabilities.argmax())
        scores = label_scores(-np.log(self.probabilities)[tokens], prediction, tokens, "token")
        if (first := part.first_item) is None:
            return scores
        values = target_of(part).values
        popular = places_of(self.probabilities[first:])
        return scores | ranking_scores(
            part, lambda steps: popular[values[steps] - first], lambda _, items: self.probabilities[items]
        )


MEMBER = Unigram
