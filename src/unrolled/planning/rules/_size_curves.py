"""The size curves that several forms share, fitted to the tuned rows of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unrolled.errors import counted
from unrolled.planning.choice import Choice
from unrolled.planning.curve import Curve
from unrolled.planning.facts import Facts
from unrolled.planning.rules.rule import Wishes, rule

__all__ = ["BATCH", "Chosen", "dropout", "hidden_within", "rate", "updates"]

BATCH = Curve(((256, 4), (1_024, 8), (4_096, 16), (65_536, 32)), 64)  # over the updates of an epoch at batch 1
_DROPOUT = Curve(((3, 0.0), (8, 0.1), (20, 0.2)), 0.3)  # over the passes that the budget allows
_FEWEST_PASSES = 6.0
_RATE, _RATE_BATCH, _RATE_WIDTH = 3e-3, 4, 384  # the rate that the batch and the width of the tuned rows need


class Chosen(dict[str, Any]):
    """The values so far, the user's first: later rules depend on them."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self._given = given

    def choose(self, name: str, value: Any, reason: str) -> Iterator[Choice]:
        """Choose ``value`` unless the user chose another."""
        if name not in self._given:
            self[name] = value
            yield rule(name, value, reason)


def hidden_within(chosen: Chosen, curve: Curve[int], size: float, wishes: Wishes) -> tuple[int, str]:
    """The width at ``size`` on the curve, or less until the budget reads the data often enough; and the reason."""
    width, reason = curve(size), f"{size:,.0f} steps to learn from"
    while wishes.passes({**chosen, "hidden": width}) < _FEWEST_PASSES and (less := curve.below(width)) is not None:
        width, reason = less, f"the budget reads the data {_FEWEST_PASSES:g} times at most with more"
    return width, reason


def dropout(chosen: Chosen, wishes: Wishes) -> tuple[float, str]:
    """Dropout for the passes that the budget allows, and the reason."""
    passes = wishes.passes(chosen)
    return _DROPOUT(passes), f"the budget reads the data about {counted(max(1, round(passes)), 'time')}"


def rate(batch: int, hidden: int) -> float:
    """The learning rate of a recurrent network that predicts next steps: more for a larger batch, less for a wider one.

    >>> rate(4, 200), round(rate(16, 320), 4), round(rate(32, 384), 4)
    (0.003, 0.0042, 0.005)
    """
    return float(f"{_RATE * (batch / _RATE_BATCH) ** 0.25 * min(1.0, _RATE_WIDTH / hidden):.3g}")


def updates(facts: Facts, window: int | None) -> float:
    """The updates of an epoch at batch 1: rows, or windows of long rows."""
    return facts.rows if window is None else facts.steps / window
