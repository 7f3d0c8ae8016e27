"""Rules for one label or number for each row."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules._whole_rows import other_rows, whole_rows
from unrolled.planning.rules.rule import Rules, Wishes

_UNEVEN = 1.5  # the commonest label for each of the rarest


def one(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """A network over whole rows, with labels that count alike where they are uneven."""
    chosen = Chosen(wishes.given)
    yield from whole_rows(facts, wishes, chosen)
    if facts.classes and facts.imbalance >= _UNEVEN and "threshold" not in chosen:
        reason = f"the commonest label comes {facts.imbalance:.3g} times as often as the rarest"
        yield from chosen.choose("class_weights", "balanced", reason)


MEMBER = Rules(one, other_rows)
