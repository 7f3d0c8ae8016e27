"""Rules for hidden tokens, which pretrain a network."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import BATCH, Chosen
from unrolled.planning.rules.rule import Rules, Wishes


def fill(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """The constants, but for the batch: the network is to fit a later task."""
    yield from Chosen(wishes.given).choose("batch", BATCH(facts.rows), f"{facts.rows:,} rows")


MEMBER = Rules(fill)
