"""Judged answers: predictions together with the right values, in the types that metrics accept.

A task makes them from the outputs for a batch, a baseline from a whole split. A NaN among the right values marks a
value that is not judged; a NaN among the answers makes the metric NaN. Integers are always judged.

Axes: N answers, K classes or labels, C channels, Q quantiles, S series; … any number of axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.metrics._iob2 import IOB2

__all__ = [
    "Answers",
    "ChosenLabels",
    "ChosenSets",
    "ChosenTags",
    "ChosenTokens",
    "CodeLength",
    "Forecasts",
    "Gaussians",
    "Ids",
    "Intervals",
    "Nats",
    "NextValues",
    "Points",
    "Quantiles",
    "Ranks",
    "Seasonal",
    "TokenSequences",
    "Transcripts",
    "Translations",
    "Values",
]

Answers = tuple[object, ...]  # judged answers of several types to the same questions
Ids = Sequence[int] | np.ndarray
Rows = Sequence[Sequence[int]]  # the ids of several sequences


@dataclass(frozen=True, slots=True, eq=False)
class Nats:
    """The sum of −ln p over the right answers.

    Attributes:
        name: the name of the mean, such as ``loss_nats_per_token``.
        total: () float.
        count: () integer, the number of what the name is per, such as tokens.
    """

    name: str
    total: Tensor
    count: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class CodeLength:
    """The code length of the right tokens under the model's probabilities.

    Attributes:
        nats: () float, the total.
        count: () integer, the number of tokens.
        per: the unit of a token, such as ``character``.
    """

    nats: Tensor
    count: Tensor
    per: str


@dataclass(frozen=True, slots=True, eq=False)
class ChosenLabels:
    """One of K labels per question.

    Attributes:
        chosen, right: (N,) int64 in [0, K).
        classes: K.
    """

    chosen: Tensor
    right: Tensor
    classes: int

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ChosenTokens:
    """One token of a vocabulary per question.

    Attributes:
        chosen, right: (N,) int64.
    """

    chosen: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ChosenSets:
    """A set of K labels per question.

    Attributes:
        chosen, right: (N, K) bool.
    """

    chosen: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ChosenTags:
    """An IOB2 tag per step, rows end to end.

    Attributes:
        chosen, right: (N,) int64, labels of ``scheme``.
        first: (N,) bool, True at the first step of a row and after a step that is not judged.
        scheme: the tags that the labels stand for.
    """

    chosen: Tensor
    right: Tensor
    first: Tensor
    scheme: IOB2

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A number per question.

    Attributes:
        answer, right: (N,) float, in units of the training standard deviation.
        std: the training standard deviation in the user's units.
    """

    answer: Tensor
    right: Tensor
    std: float

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class NextValues:
    """The next vector, per step.

    Attributes:
        answer, right: (N, C) float, in units of the training standard deviation.
    """

    answer: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Forecasts of future values.

    Attributes:
        answer, right: (…, C) float, in units of the training standard deviation.
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units.
    """

    answer: Tensor
    right: Tensor
    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Seasonal:
    """Forecasts together with the error of repeating the last season in the past of each series.

    Attributes:
        answer, right: (N, …, C) float.
        series: (N,) int64, the series that each forecast belongs to.
        naive: (S, C) float64 above 0, the mean absolute error of the repetition in each of S series; NaN excludes a
            channel of a series.
    """

    answer: Tensor
    right: Tensor
    series: Tensor
    naive: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Point forecasts.

    Attributes:
        answer, right: of the same shape, float.
    """

    answer: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Forecasts of a Gaussian per value.

    Attributes:
        mean, sigma, right: of the same shape, float; σ > 0.
    """

    mean: Tensor
    sigma: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.mean, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """Forecasts of several quantiles per value.

    Attributes:
        levels: each in (0, 1), increasing.
        values: (…, Q) float, increasing along Q.
        right: (…) float.
    """

    levels: tuple[float, ...]
    values: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.values[..., 0], self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Forecasts of an interval per value.

    Attributes:
        low, high, right: of the same shape, float.
        share: the share of values that such an interval should hold, such as 0.8 from the 10 % to the 90 % quantile.
    """

    low: Tensor
    high: Tensor
    right: Tensor
    share: float

    def __post_init__(self) -> None:
        _check(self.low, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class TokenSequences:
    """A sequence of ids per question, of any length.

    Attributes:
        written: N predicted sequences.
        right: N right sequences.
    """

    written: Sequence[Ids]
    right: Sequence[Ids]

    def __post_init__(self) -> None:
        if len(self.written) != len(self.right):
            raise ShapeError(f"there are {len(self.written)} written sequences, but {len(self.right)} right ones")


@dataclass(frozen=True, slots=True, eq=False)
class Translations:
    """A text per question, in another language or form than what was read.

    Attributes:
        written: N predicted texts.
        right: N right texts.
    """

    written: Sequence[str]
    right: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Transcripts:
    """A text per question, of what was said or written in what was read.

    Attributes:
        written: N predicted texts.
        right: N right texts.
    """

    written: Sequence[str]
    right: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """The rank of the right candidate among many, per question.

    Attributes:
        places: (N,) ranks from 1, of any dtype; infinite if the right answer is not a candidate.
        sampled: whether the rank is among a sample of the candidates instead of all.
    """

    places: Tensor
    sampled: bool = False


def _check(answer: Tensor, right: Tensor) -> None:
    if answer.shape != right.shape:
        raise ShapeError(f"the answers have shape {tuple(answer.shape)}, but the right values {tuple(right.shape)}")
