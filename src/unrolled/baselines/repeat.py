"""Predicts each channel from its previous value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, is_several_hot, target_of
from unrolled.baselines._judged import judged_channels
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers

__all__ = ["Repeat"]

_UNKNOWN = 2  # stands for a missing previous value


@dataclass(frozen=True, slots=True)
class Repeat:
    r"""A Markov chain for each channel: how often it is on after being on, and after being off.

    .. math:: p_k(\text{on} \mid j) = (n_{jk} + 1) / (n_j + 2), \qquad j \in \{\text{off}, \text{on}, \text{missing}\}

    What it shows: how much of the loss is explained by notes that are held. That is most of what a network gains over
    the marginals; only a lower loss shows that it has learned melody or harmony.

    Applies to: the next step, if every channel is 0 or 1.

    Cost: one count, O(K) per prediction.

    References:
        Markov, An Example of Statistical Investigation of the Text Eugene Onegin, 1913 (translated 2006).
        https://doi.org/10.1017/S0269889706001074

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.next import Next
        >>> from unrolled.metrics.scoring import scores
        >>> keys = Encoded(np.repeat([[1.0], [0.0], [1.0], [0.0]], 8, 0).astype(np.float32), np.array([0, 32]))
        >>> roll = Examples({"x": keys}, {"x": Continuous(1)}, keys, Continuous(1), Next())
        >>> round(scores(Repeat.fit(roll).judge(roll))["nll_nats_per_step"], 3)
        0.323
    """

    name: ClassVar[str] = "repeat"
    probabilities: np.ndarray  # (3, K): after off, on and missing

    @staticmethod
    def applies(examples: Examples) -> bool:
        return is_several_hot(examples)

    @classmethod
    def fit(cls, train: Examples) -> Self:
        before, values = _pairs(train)
        known = ~np.isnan(values)
        ons = [((before == j) & (values == 1)).sum(0) for j in range(3)]
        all_ = [((before == j) & known).sum(0) for j in range(3)]
        return cls((np.stack(ons) + 1) / (np.stack(all_) + 2))

    def judge(self, part: Examples) -> Iterable[Answers]:
        before, values = _pairs(part)
        chances = self.probabilities[before, np.arange(values.shape[1])]  # (Q, K)
        return [judged_channels(chances, values)]


def _pairs(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """(Q, K) int8 previous value of each channel, and (Q, K) float32 its next value."""
    values, steps = target_of(examples).values, asked_values(examples)
    before = values[steps - 1]
    return np.where(np.isnan(before), _UNKNOWN, before).astype(np.int8), values[steps]


MEMBER = Repeat
