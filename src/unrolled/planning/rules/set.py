"""Rules for a set of labels for each row."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules._whole_rows import other_rows, whole_rows
from unrolled.planning.rules.rule import Rules, Wishes


def several(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """A network over whole rows."""
    return whole_rows(facts, wishes, Chosen(wishes.given))


MEMBER = Rules(several, other_rows)
