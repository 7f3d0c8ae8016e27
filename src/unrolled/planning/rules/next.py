"""Rules for the next step of a text, of music, of numbers over time or of a list of items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import BATCH, Chosen, dropout, hidden_within, rate, updates
from unrolled.planning.rules.rule import Rules, Values, Wishes

_WINDOW, _LONG = 64, 50_000  # steps of a piece, and of all rows from which rows are cut into pieces
_HIDDEN = Curve(((5_000, 64), (20_000, 192), (200_000, 320)), 384)  # over the steps to learn from
_MANY_CLICKS = 100_000


def next_step(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """A recurrent network whose width grows with the data, or attention over many clicks."""
    chosen = Chosen(wishes.given)
    if facts.items:
        yield from _items(facts, chosen)
        return
    pieces = facts.steps > _LONG and facts.longest > _WINDOW
    if facts.switches and facts.steps < _LONG:
        yield from _few_keys(facts, wishes, chosen)
        return
    yield from chosen.choose("model", "lstm", "it streams at a constant cost")
    if pieces:
        yield from chosen.choose("bptt", _WINDOW, f"{facts.steps:,} steps in long rows")
    size = updates(facts, _WINDOW if pieces else None)
    yield from chosen.choose("batch", BATCH(size), f"{size:,.0f} updates an epoch at batch 1")
    yield from chosen.choose("hidden", *hidden_within(chosen, _HIDDEN, facts.steps, wishes))
    yield from chosen.choose("dropout", *dropout(chosen, wishes))
    yield from chosen.choose("lr", rate(chosen["batch"], chosen["hidden"]), "the batch and the width")


def _few_keys(facts: Facts, wishes: Wishes, chosen: Chosen) -> Iterator[Choice]:
    """Convolutions learn which keys go together from fewer rows than gates do."""
    steps, own = f"{facts.steps:,} steps of keys", "model" not in wishes.given
    yield from chosen.choose("model", "tcn", steps)
    yield from chosen.choose("batch", BATCH(facts.rows), f"{facts.rows:,} rows")
    if own:
        yield from chosen.choose("layers", 2, steps)
        yield from chosen.choose("hidden", 150, steps)
        yield from chosen.choose("dropout", 0.2, steps)
        yield from chosen.choose("lr", 4e-3, "convolutions without gates")
    else:
        yield from chosen.choose("hidden", *hidden_within(chosen, _HIDDEN, facts.steps, wishes))
        yield from chosen.choose("dropout", *dropout(chosen, wishes))
        yield from chosen.choose("lr", rate(chosen["batch"], chosen["hidden"]), "the batch and the width")


def _items(facts: Facts, chosen: Chosen) -> Iterator[Choice]:
    many = facts.steps >= _MANY_CLICKS
    yield from chosen.choose("model", "transformer" if many else "gru", f"{facts.steps:,} events")
    yield from chosen.choose("hidden", 64, "next items")
    yield from chosen.choose("tied", True, "an item is read and predicted by the same vector")
    yield from chosen.choose("batch", 128 if many else 32, f"{facts.rows:,} rows")
    yield from chosen.choose("dropout", 0.3, "next items")
    yield from chosen.choose("lr", 3e-3 if many else 2e-3, "next items")


def _others(facts: Facts, chosen: Values) -> Iterator[dict[str, Any]]:
    """Gates of another kind."""
    if facts.items:
        return
    width = {"layers": 1, "hidden": _HIDDEN(facts.steps), "lr": rate(chosen["batch"], _HIDDEN(facts.steps))}
    names = ("lstm", "gru")
    yield from ({"model": name, **width} for name in names if name != chosen["model"])


MEMBER = Rules(next_step, _others)
