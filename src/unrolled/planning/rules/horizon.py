"""Rules for forecasts of several steps."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules._size_curves import Chosen
from unrolled.planning.rules.rule import Rules, Wishes

_HORIZONS, _SEASONS, _LEAST, _MOST = 5, 2, 64, 2_048
_MANY_SEASONS, _USUAL = 12, 512  # what classical forecasts gain from, in so many steps at most
_HIDDEN = Curve(((2_000, 32), (20_000, 64)), 128)  # over the steps to learn from
_BATCH = Curve(((1_000, 16), (10_000, 64)), 128)


def horizon(facts: Facts, wishes: Wishes) -> Iterator[Choice]:
    """Enough history for a linear window, and a small network for what it leaves."""
    chosen, steps = Chosen(wishes.given), f"{facts.steps:,} steps to learn from"
    yield from chosen.choose("season", facts.season, "what repeats best in the training data")
    seasons = max(_SEASONS * facts.season, min(_MANY_SEASONS * facts.season, _USUAL))
    wanted = max(_LEAST, _HORIZONS * facts.horizon, seasons)
    within = max(1, min(wanted, _MOST, facts.longest - facts.horizon))
    yield from chosen.choose("lookback", within, f"{_HORIZONS} horizons, and up to {_MANY_SEASONS} seasons")
    yield from chosen.choose("hidden", _HIDDEN(facts.steps), steps)
    yield from chosen.choose("batch", _BATCH(facts.steps), steps)
    if facts.inputs > 1:
        yield from chosen.choose("dropout", 0.1, "only the network reads the other columns")
        yield from chosen.choose("lr", 2e-3, "only the network reads the other columns")
    else:
        yield from chosen.choose("dropout", 0.3, "a network beside a linear answer overfits soon")
        yield from chosen.choose("weight_decay", 0.1, "a network beside a linear answer overfits soon")
        yield from chosen.choose("lr", 1e-3, "a network beside a linear answer")


MEMBER = Rules(horizon)
