"""Judged answers: what was answered beside what is right, in the kinds that metrics are computed from.

A task makes them of a batch's outputs, a baseline of a whole split. Integer answers are all known; in numbers a NaN on
the right side marks a value that is not judged, and a NaN among the answers is an error that is not hidden.

Axes: N answers, K classes or labels, C channels, Q quantiles; … any number of axes.
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
    "Values",
]

Answers = tuple[object, ...]  # one value of each kind that a task or a baseline can give of the same questions
Ids = Sequence[int] | np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Nats:
    """What the right answers cost, −ln p, summed.

    Attributes:
        name: of their mean, such as ``loss_nats_per_token``.
        total: () float.
        count: () integer, of what the name says.
    """

    name: str
    total: Tensor
    count: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class CodeLength:
    """How long the right tokens are, written in the code that the model's chances make.

    Attributes:
        nats: () float, in all.
        count: () integer, the tokens.
        per: what a token is, such as ``character``.
    """

    nats: Tensor
    count: Tensor
    per: str


@dataclass(frozen=True, slots=True, eq=False)
class ChosenLabels:
    """One of K labels for each question.

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
    """One of a whole vocabulary for each question.

    Attributes:
        chosen, right: (N,) int64.
    """

    chosen: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ChosenSets:
    """Several of K labels for each question.

    Attributes:
        chosen, right: (N, K) bool.
    """

    chosen: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ChosenTags:
    """An IOB2 tag for each step, rows end to end.

    Attributes:
        chosen, right: (N,) int64, labels of ``scheme``.
        first: (N,) bool, True where a row begins, or goes on after a step that is not judged.
        scheme: what the labels mean.
    """

    chosen: Tensor
    right: Tensor
    first: Tensor
    scheme: IOB2

    def __post_init__(self) -> None:
        _check(self.chosen, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A number for each question.

    Attributes:
        answer, right: (N,) float, in deviations of training.
        std: what such a deviation is in the user's units.
    """

    answer: Tensor
    right: Tensor
    std: float

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class NextValues:
    """The vector that comes next, for each step.

    Attributes:
        answer, right: (N, C) float, in deviations of training.
    """

    answer: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """The values of steps to come.

    Attributes:
        answer, right: (…, C) float, in deviations of training.
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
    """Forecasts beside what repeating the last season misses by.

    Attributes:
        answer, right: (…, C) float.
        naive: (C,) float64 above 0, the mean absolute error of the repetition in training; NaN leaves a channel out.
    """

    answer: Tensor
    right: Tensor
    naive: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Forecasts that are certain of one value.

    Attributes:
        answer, right: of the same shape, float.
    """

    answer: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.answer, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Forecasts that are a Gaussian for each value.

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
    """Forecasts that are several quantiles for each value.

    Attributes:
        levels: each in (0, 1), rising.
        values: (…, Q) float, rising along Q.
        right: (…) float.
    """

    levels: tuple[float, ...]
    values: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.values[..., 0], self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Forecasts that are an interval for each value.

    Attributes:
        low, high, right: of the same shape, float.
    """

    low: Tensor
    high: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        _check(self.low, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class TokenSequences:
    """A sequence of ids for each question, of any length.

    Attributes:
        written: N sequences.
        right: N others.
    """

    written: Sequence[Ids]
    right: Sequence[Ids]

    def __post_init__(self) -> None:
        if len(self.written) != len(self.right):
            raise ShapeError(f"{len(self.written)} sequences are written, but {len(self.right)} are right")


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Where the right one of many candidates stands, for each question.

    Attributes:
        places: (N,) from 1, of any dtype; infinite where the right one is none that could be answered.
        sampled: True among a sample of the candidates, False among all.
    """

    places: Tensor
    sampled: bool = False


def _check(answer: Tensor, right: Tensor) -> None:
    if answer.shape != right.shape:
        raise ShapeError(f"the answers are {tuple(answer.shape)}, expected {tuple(right.shape)}, as what is right")
