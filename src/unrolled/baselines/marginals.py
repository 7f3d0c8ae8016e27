"""Predicts how often each of several channels is on, whatever came before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, is_several_hot, target_of
from unrolled.baselines._judged import judged_channels
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers

__all__ = ["Marginals"]


@dataclass(frozen=True, slots=True)
class Marginals:
    r"""Predicts each channel's training frequency, independently: :math:`p_k = (n_k + 1) / (n + 2)`.

    What it shows: how much can be predicted without memory or harmony; it is the unigram model of music and other
    several-hot steps. A network that has only learned its output bias has this loss.

    Applies to: the next step, if every channel is 0 or 1.

    Cost: one count, O(K) per prediction.

    References:
        Boulanger-Lewandowski et al., 2012, table 1. https://arxiv.org/abs/1206.6392

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.next import Next
        >>> from unrolled.metrics.scoring import scores
        >>> keys = Encoded(np.array([[1, 0], [1, 0], [1, 1]], np.float32), np.array([0, 3]))
        >>> roll = Examples({"x": keys}, {"x": Continuous(2)}, keys, Continuous(2), Next())
        >>> round(scores(Marginals.fit(roll).judge(roll))["nll_nats_per_step"], 3)
        0.981
    """

    name: ClassVar[str] = "marginals"
    probabilities: np.ndarray  # (K,)

    @staticmethod
    def applies(examples: Examples) -> bool:
        return is_several_hot(examples)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        values = target_of(train).values[asked_values(train)]
        return cls((np.nansum(values, 0, dtype=np.float64) + 1) / ((~np.isnan(values)).sum(0) + 2))

    def judge(self, part: Examples) -> Iterable[Answers]:
        values = target_of(part).values[asked_values(part)]
        return [judged_channels(np.broadcast_to(self.probabilities, values.shape), values)]


MEMBER = Marginals
