"""Predicts the most frequent training sequence for every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from unrolled.baselines._arrays import written_rows
from unrolled.baselines._judged import judged_sequences
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers

__all__ = ["Commonest"]


@dataclass(frozen=True, slots=True)
class Commonest:
    r"""The most frequent target in training; ties go to the shortest, then to the first one.

    .. math:: \hat y = \arg\max_y n(y)

    What it shows: the score of a prediction that ignores the input.

    Applies to: targets that are sequences with their own length.

    Cost: one pass; O(1) per prediction.

    References:
        Majority-class answers, for whole sequences: Manning, Raghavan and Schütze, chapter 13.
        https://nlp.stanford.edu/IR-book/

    Example:
        >>> import numpy as np
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.unaligned import Unaligned
        >>> asked = Encoded(np.array([3, 4, 3, 4, 5]), np.array([0, 2, 4, 5]))
        >>> rows = Examples({"x": asked}, {"x": Discrete(6)}, asked, Discrete(6), Unaligned())
        >>> Commonest.fit(rows).answer
        [3, 4]
    """

    name: ClassVar[str] = "commonest answer"
    answer: list[int]

    @staticmethod
    def applies(examples: Examples) -> bool:
        return examples.form.own_length

    @classmethod
    def fit(cls, train: Examples) -> Self:
        counts: Counter[tuple[int, ...]] = Counter(tuple(row) for row in written_rows(train))
        most = max(counts.values(), default=0)
        commonest = [list(row) for row, count in counts.items() if count == most]
        return cls(min(commonest, key=len, default=[]))

    def judge(self, part: Examples) -> Iterable[Answers]:
        targets = written_rows(part)
        return [judged_sequences([self.answer] * len(targets), targets, part)]


MEMBER = Commonest
