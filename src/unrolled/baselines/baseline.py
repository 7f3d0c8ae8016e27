"""What a baseline is, and how all that apply are scored on a split."""

from __future__ import annotations

import logging
from typing import ClassVar, Protocol, Self

from unrolled.baselines.portion import for_fitting, for_scoring
from unrolled.data.examples import Examples
from unrolled.registry import Registry

__all__ = ["BASELINES", "Baseline", "score_baselines"]

BASELINES = Registry("baselines", "baseline")

# Enough for a number that a larger share would not change, in seconds and a few hundred MB.
_FIT_CELLS, _SCORE_CELLS = 10_000_000, 5_000_000

_log = logging.getLogger(__name__)


class Baseline(Protocol):
    """A plain answer to a question. A file in ``baselines/`` with a line ``MEMBER = Class`` is a baseline.

    Attributes:
        name: what tables call it.
    """

    name: ClassVar[str]

    @staticmethod
    def applies(examples: Examples) -> bool:
        """True if it can answer the question that the training split ``examples`` asks."""

    @classmethod
    def fit(cls, train: Examples) -> Self:
        """Learn from the training split alone; the same split gives the same baseline, to the bit."""

    def score(self, part: Examples) -> dict[str, float]:
        """The metrics on another split, under the names that the tasks use; numbers are in scaled units."""


def score_baselines(train: Examples, part: Examples) -> dict[str, dict[str, float]]:
    """Every baseline that applies: name -> metric -> value, in the alphabetical order of their files.

    Very long splits are cut (`portion`) and a warning is logged that says so.

    Args:
        train: the split that baselines learn from.
        part: the split that they are scored on; the same question, encoded by the same encodings.

    Cost: seconds, and at most a few hundred MB, however long the splits are.

    Example:
        >>> import numpy as np
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.encoded import Encoded
        >>> series = Encoded(np.sin(np.arange(60) * np.pi / 6, dtype=np.float32)[:, None], np.array([0, 60]))
        >>> wave = Examples({"x": series}, {"x": Continuous(1)}, series, Continuous(1), "horizon", None, 3)
        >>> {name: round(values["mse"], 2) for name, values in score_baselines(wave, wave).items()}
        {'last value': 0.93, 'mean': 0.49, 'seasonal naive': 0.15}
    """
    fitted, scored = for_fitting(train, _FIT_CELLS), for_scoring(part, _SCORE_CELLS)
    if fitted is not train:
        _log.warning("the baselines were fitted on %d of %d training steps", _total(fitted), _total(train))
    if scored is not part:
        _log.warning("the baselines were scored on %d of %d steps", _total(scored), _total(part))
    members: dict[str, type[Baseline]] = BASELINES.members()
    applying = [member for member in members.values() if member.applies(fitted)]
    return {member.name: member.fit(fitted).score(scored) for member in applying}


def _total(examples: Examples) -> int:
    return int(examples.steps().sum())
