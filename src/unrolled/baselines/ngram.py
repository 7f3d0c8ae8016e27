"""A 5-gram model: predicts the next token from counts of the four tokens before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._judged import judged_tokens
from unrolled.baselines._kneser_ney import KneserNey
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.metrics.judged import Answers

__all__ = ["Ngram"]

_ORDER = 5


@dataclass(frozen=True, slots=True)
class Ngram:
    r"""A 5-gram model with interpolated modified Kneser–Ney smoothing, the best of the counting models.

    .. math::
        p_n(w \mid c) = \frac{a(c w) - D(a(c w))}{\sum_v a(c v)} + \gamma(c) \, p_{n-1}(w \mid c'), \qquad
        p_0 = 1 / V

    c' is c without its oldest token; :math:`\gamma(c)` is the mass that the discounts D free, so that p sums to 1. At
    the top order a is the count of the n-gram, in lower orders the number of distinct tokens before it. D has a value
    for counts of 1, of 2, and of 3 or more, estimated from the counts of counts. Contexts stop at the start of the row,
    which counts as a token.

    What it shows: how much can be predicted from the last four tokens: the spelling of common words from characters,
    common phrases from words. A recurrent network has to beat it to show that its state holds more; on small data it
    often does not.

    Applies to: the next token.

    Cost: fit O(N log N) by sorting, about 1 µs per token and order; score O(log U) per token and order for U
    distinct n-grams; memory about 20 bytes per distinct n-gram.

    References:
        Kneser and Ney, 1995. https://doi.org/10.1109/ICASSP.1995.479394
        Chen and Goodman, 1998, modified and interpolated. https://dash.harvard.edu/handle/1/25104739
        Heafield, KenLM, 2011, the fallback. https://aclanthology.org/W11-2123

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> text = Encoded(np.tile([0, 1, 1, 2], 50), np.array([0, 200]))
        >>> tokens = Examples({"x": text}, {"x": Discrete(3)}, text, Discrete(3), Next())
        >>> round(scores(Ngram.fit(tokens).judge(tokens))["accuracy"], 2)
        1.0
    """

    name: ClassVar[str] = "5-gram"
    model: KneserNey

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, Next) and classes(examples) > 0

    @classmethod
    def fit(cls, train: Examples) -> Self:
        target = target_of(train)
        assert target.offsets is not None
        return cls(KneserNey.fit(target.values, target.offsets, classes(train), _ORDER))

    def judge(self, part: Examples) -> Iterable[Answers]:
        target, steps = target_of(part), asked_values(part)
        assert target.offsets is not None
        chances, best = self.model.score(target.values, target.offsets, steps)
        return [judged_tokens(part, -np.log(chances), best, target.values[steps])]


MEMBER = Ngram
