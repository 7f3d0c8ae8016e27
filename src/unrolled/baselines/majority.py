"""Predicts the most frequent training label, whatever the input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import (
    asked_values,
    classes,
    label_sets,
    target_of,
)
from unrolled.baselines._judged import judged_labels, judged_sets, judged_tags
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.metrics.judged import Answers

__all__ = ["Majority"]


@dataclass(frozen=True, slots=True)
class Majority:
    r"""Predicts the frequencies of the training labels, with one added example of each class.

    .. math:: p_k = (n_k + 1) / (n + K) \quad\text{one label}; \qquad p_k = (n_k + 1) / (n + 2) \quad\text{sets}

    What it shows: how uneven the classes are. An accuracy of 95 % means nothing if 95 % of the rows have the
    same label; a model that does not beat this has learned nothing from its input.

    Applies to: labels of rows, labels of steps, and sets of labels.

    Cost: one count of the training labels, O(1) per prediction.

    References:
        Holte, Very Simple Classification Rules Perform Well, 1993. https://doi.org/10.1023/A:1022631118932

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> x = Encoded(np.zeros(4, np.int64), None)
        >>> y = Encoded(np.array([0, 0, 0, 1]), None)
        >>> rows = Examples({"x": x}, {"x": Discrete(1, time=False)}, y, Discrete(2, time=False), One())
        >>> scores(Majority.fit(rows).judge(rows))["accuracy"]
        0.75
    """

    name: ClassVar[str] = "majority"
    probabilities: np.ndarray  # (K,)

    @staticmethod
    def applies(examples: Examples) -> bool:
        return classes(examples) > 0 and isinstance(examples.form, One | Set | Aligned)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        size = classes(train)
        if isinstance(train.form, Set):
            sets = label_sets(train)
            return cls((sets.sum(0) + 1) / (len(sets) + 2))
        counts = np.bincount(target_of(train).values[asked_values(train)], minlength=size) + 1
        return cls(counts / counts.sum())

    def judge(self, part: Examples) -> Iterable[Answers]:
        if isinstance(part.form, Set):
            sets = label_sets(part)
            return [judged_sets(np.broadcast_to(self.probabilities, sets.shape), sets)]
        labels = target_of(part).values[asked_values(part)]
        nats, prediction = -np.log(self.probabilities[labels]), np.full(len(labels), self.probabilities.argmax())
        if isinstance(part.form, Aligned):
            return [judged_tags(part, nats, prediction)]
        return [judged_labels(part, nats, prediction, labels, "label")]


MEMBER = Majority
