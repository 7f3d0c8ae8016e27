"""Rules that all forms with one answer for each row share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules.rule import Values, Wishes

__all__ = ["other_rows", "whole_rows"]

_FEW, _MANY = 1_000, 20_000
_WORDS = 5_000
_HIDDEN = Curve(((_FEW, 64),), 128)
_PLAIN = Curve(((_FEW, 16), (10_000, 64)), 128)  # rows without time
_BATCH = Curve(((_FEW, 16), (50_000, 32)), 64)


def whole_rows(facts: Facts, wishes: Wishes, chosen: Chosen) -> Iterator[Choice]:
    """Both directions where no stream is asked; few rows need a small network and much dropout."""
    rows = f"{facts.rows:,} rows"
    if not (facts.timed or facts.beside):
        yield from chosen.choose("model", "mlp", "rows without time")
        yield from chosen.choose("hidden", _PLAIN(facts.rows), rows)
    else:
        model, reason = ("gru", "it streams") if wishes.live else ("bigru", "rows are read whole, from both sides")
        yield from chosen.choose("model", model, reason)
        yield from chosen.choose("hidden", _HIDDEN(facts.rows), rows)
        if facts.symbols > _WORDS:
            yield from chosen.choose("embedding", 300, f"{facts.symbols:,} words")
    small = facts.rows < _MANY
    yield from chosen.choose("batch", _BATCH(facts.rows), rows)
    yield from chosen.choose("dropout", 0.5 if small else 0.2, f"one answer a row, {rows}")
    if not facts.timed and small:
        yield from chosen.choose("weight_decay", 0.1, rows)
    slow = facts.symbols > 0
    yield from chosen.choose("lr", 1e-3 if slow else 2e-3, "words in whole rows" if slow else rows)


def other_rows(facts: Facts, chosen: Values) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - as every function of its kind
    """Gates of another kind."""
    cells = {"bigru": "bilstm", "gru": "lstm"}
    if chosen["model"] in cells:
        yield {"model": cells[chosen["model"]]}
