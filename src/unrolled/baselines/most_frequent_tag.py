"""Predicts each token's most frequent tag, whatever its context."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._judged import judged_tags
from unrolled.batch import Discrete
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.metrics.judged import Answers

__all__ = ["MostFrequentTag"]


@dataclass(frozen=True, slots=True)
class MostFrequentTag:
    r"""Predicts the tag that a token had most often in training; an unseen token gets the overall frequencies.

    .. math:: p(k \mid v) = \frac{n_{vk} + p_k}{n_v + 1}, \qquad p_k = \frac{n_k + 1}{n + K}

    Of several columns of tokens, the most accurate one on the training split is used.

    What it shows: how much can be predicted from each step without its context. About 90 % of English words in text
    have their most frequent part of speech, so a tagger's use of context only shows in what it gains over this.

    Applies to: a label for each step, with a column of tokens.

    Cost: one count; memory O(V K) for V tokens and K tags; O(1) per prediction.

    References:
        Jurafsky and Martin, Speech and Language Processing, chapter 17. https://web.stanford.edu/~jurafsky/slp3/

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> offsets = np.array([0, 6])
        >>> words, tags = Encoded(np.array([0, 1, 0, 1, 0, 1]), offsets), Encoded(np.array([0, 1, 0, 1, 0, 0]), offsets)
        >>> steps = Examples({"w": words}, {"w": Discrete(2)}, tags, Discrete(2), Aligned())
        >>> round(scores(MostFrequentTag.fit(steps).judge(steps))["accuracy"], 3)
        0.833
    """

    name: ClassVar[str] = "most frequent tag"
    column: str
    probabilities: np.ndarray  # (V, K)

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, Aligned) and classes(examples) > 0 and bool(_token_columns(examples))

    @classmethod
    def fit(cls, train: Examples) -> Self:
        steps, size = asked_values(train), classes(train)
        tags = target_of(train).values[steps].astype(np.int64)
        counts: dict[str, np.ndarray] = {}
        for name, tokens in _token_columns(train).items():
            pairs = train.inputs[name].values[steps] * np.int64(size) + tags
            counts[name] = np.bincount(pairs, minlength=tokens * size).reshape(tokens, size)
        column = max(counts, key=lambda name: int(counts[name].max(1).sum()))
        of_token, of_all = counts[column], counts[column].sum(0) + 1
        return cls(column, (of_token + of_all / of_all.sum()) / (of_token.sum(1, keepdims=True) + 1))

    def judge(self, part: Examples) -> Iterable[Answers]:
        steps = asked_values(part)
        tokens, tags = part.inputs[self.column].values[steps], target_of(part).values[steps]
        nats = -np.log(self.probabilities[tokens, tags])
        return [judged_tags(part, nats, self.probabilities.argmax(1)[tokens])]


def _token_columns(examples: Examples) -> dict[str, int]:
    """The vocabulary of each column that has a token at every step."""
    specs = examples.specs.items()
    return {name: spec.size for name, spec in specs if isinstance(spec, Discrete) and spec.time}


MEMBER = MostFrequentTag
