"""Rules for transcripts: a sequence that is shorter than what is read, in its order."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import BATCH, Chosen
from unrolled.planning.rules.rule import Rules, Wishes


def unaligned(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """Both directions unless a stream is asked."""
    chosen, rows = Chosen(wishes.given), f"{facts.rows:,} rows"
    model, reason = ("lstm", "it streams") if wishes.live else ("bilstm", "rows are read whole, from both sides")
    yield from chosen.choose("model", model, reason)
    yield from chosen.choose("batch", BATCH(facts.rows), rows)
    yield from chosen.choose("dropout", 0.3, "transcripts")
    yield from chosen.choose("lr", 2e-3, "transcripts")


MEMBER = Rules(unaligned)
