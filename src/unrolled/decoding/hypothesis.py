"""A sequence found by beam search."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Hypothesis"]


class Hypothesis(NamedTuple):
    """A sequence found by a search, with its score.

    Attributes:
        ids: the ids, without ``<begin>``, ``<end>`` and blanks.
        score: the log-probability in nats.
        merit: the value by which hypotheses are ranked: the score after corrections such as the length penalty.
    """

    ids: list[int]
    score: float
    merit: float
