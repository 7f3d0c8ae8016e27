"""The protocol of baselines, and scores of all applicable baselines on a split."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol, Self

import numpy as np

from unrolled.baselines._subsample import for_fitting, for_scoring
from unrolled.config import made, options_of
from unrolled.data.examples.examples import Examples
from unrolled.metrics.judged import Answers
from unrolled.metrics.scoring import NO_OPTIONS, Own, scores
from unrolled.registry import Registry

__all__ = ["BASELINES", "Baseline", "Judge", "fit_baselines", "score_baselines"]

BASELINES = Registry("baseline")

# The most numbers of a split to use: more would hardly change a score but take minutes and gigabytes.
_FIT_CELLS, _SCORE_CELLS = 10_000_000, 5_000_000

_log = logging.getLogger(__name__)


class Judge(Protocol):
    """What can be judged on a split."""

    def judge(self, part: Examples) -> Iterable[Answers]:
        """Its predictions for a split together with the targets, whole or in parts, as from `Task.judge`."""


class Baseline(Judge, Protocol):
    """A simple method that a model should beat. A file in ``baselines/`` with a line ``MEMBER = Class`` is a baseline.

    Attributes:
        name: the name shown in tables.
    """

    name: ClassVar[str]

    @staticmethod
    def applies(examples: Examples) -> bool:
        """True if the baseline can be used for the task of the training split ``examples``."""

    @classmethod
    def fit(cls, train: Examples) -> Self:
        """Fit on the training split; deterministic.

        A baseline that declares ``Options`` takes an instance of them as its second argument.
        """


def fit_baselines(train: Examples, own: Own = NO_OPTIONS) -> dict[str, Baseline]:
    """Fit every applicable baseline, by name, in alphabetical order of their files.

    Only a portion of a very long split is used, and a warning is logged.

    Args:
        train: the split to fit on.
        own: the options of baselines.
    """
    fitted = for_fitting(train, _FIT_CELLS)
    _warn("fitted", fitted, train)
    members: dict[str, type[Baseline]] = BASELINES.members()
    return {
        member.name: made(member.fit, fitted, options=options_of(own, "baseline", name))
        for name, member in members.items()
        if member.applies(fitted)
    }


def score_baselines(fitted: Mapping[str, Judge], part: Examples, own: Own = NO_OPTIONS) -> dict[str, dict[str, float]]:
    """Score baselines: name -> metric -> value.

    Only a portion of a very long split is used, and a warning is logged.

    Args:
        fitted: the result of `fit_baselines`, or anything else that can be judged.
        part: the split to score on, encoded like the one that they were fitted on.
        own: the options of metrics.

    Cost: seconds; for the longest splits half a minute and 0.5 GB (1.5 GB if no phrases repeat).

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.next import Next
        >>> tune = Encoded(np.arange(64) % 2 + 1, np.array([0, 64]))
        >>> notes = Examples({"x": tune}, {"x": Discrete(3)}, tune, Discrete(3), Next())
        >>> list(score_baselines(fit_baselines(notes), notes))
        ['gzip']
    """
    scored = for_scoring(part, _SCORE_CELLS)
    _warn("scored", scored, part)
    return {name: scores(baseline.judge(scored), own) for name, baseline in fitted.items()}


def _warn(verb: str, used: Examples, whole: Examples) -> None:
    if _own_steps(used) < _own_steps(whole):
        _log.warning("the baselines were %s on %d of %d steps", verb, _own_steps(used), _own_steps(whole))


def _own_steps(examples: Examples) -> int:
    """The steps that belong to the split itself, not to its history."""
    first = 0 if examples.first is None else examples.first
    return int(np.maximum(examples.steps() - first, 0).sum())
