"""One answer of a search."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Hypothesis"]


class Hypothesis(NamedTuple):
    """A sequence that a search has found.

    Attributes:
        ids: what was written, without ``<begin>``, ``<end>`` and blanks.
        score: its log-probability in nats.
        merit: what hypotheses are ordered by: the score after the search's own corrections, such as for length.
    """

    ids: list[int]
    score: float
    merit: float
