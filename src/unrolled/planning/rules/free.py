"""Rules for sequences with their own length, such as translations."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules.rule import Rules, Wishes

_BATCH = Curve(((1_024, 16), (8_192, 32)), 64)
_HIDDEN = Curve(((2_000, 64), (10_000, 128)), 256)  # over the rows
_DROPOUT = Curve(((2, 0.1), (10, 0.2)), 0.3)  # over the passes that the budget allows


def free(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """An encoder and a decoder with attention."""
    chosen, rows = Chosen(wishes.given), f"{facts.rows:,} rows"
    yield from chosen.choose("batch", _BATCH(facts.rows), rows)
    yield from chosen.choose("hidden", _HIDDEN(facts.rows), rows)
    passes = wishes.passes(chosen)
    yield from chosen.choose("dropout", _DROPOUT(passes), f"the budget reads the data {passes:.2g} times")
    yield from chosen.choose("label_smoothing", 0.1, "written answers")


MEMBER = Rules(free)
