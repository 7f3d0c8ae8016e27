"""Rules for one label for each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules.rule import Rules, Values, Wishes

_HIDDEN = Curve(((1_000, 64),), 128)  # over the rows
_BATCH = Curve(((256, 4), (1_024, 8), (4_096, 16)), 32)
_PIECES = 2_048  # steps of a row from which it is trained in pieces, which both directions cannot be


def aligned(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """Both directions, and a chain over tags that depend on each other, unless a stream is asked."""
    chosen, rows = Chosen(wishes.given), f"{facts.rows:,} rows"
    whole = not wishes.live and facts.longest <= _PIECES
    reason = "rows are read whole, from both sides" if whole else "it streams" if wishes.live else "long rows"
    yield from chosen.choose("model", "bilstm" if whole else "lstm", reason)
    if facts.tags and whole and "class_weights" not in chosen and "threshold" not in chosen:
        yield from chosen.choose("crf", True, "a tag depends on the one before it")
    yield from chosen.choose("hidden", _HIDDEN(facts.rows), rows)
    yield from chosen.choose("batch", _BATCH(facts.rows), rows)
    yield from chosen.choose("dropout", 0.5 if facts.symbols else 0.2, "words" if facts.symbols else "numbers")
    yield from chosen.choose("lr", 2e-3, "labels of steps")


def _others(facts: Facts, chosen: Values) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - as every function of its kind
    """Gates of another kind."""
    cells = {"bilstm": "bigru", "lstm": "gru"}
    if chosen["model"] in cells:
        yield {"model": cells[chosen["model"]]}


MEMBER = Rules(aligned, _others)
