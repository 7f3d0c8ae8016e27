"""A choice of the plan: what was chosen, by what, and why."""

from __future__ import annotations

from typing import Any, Literal

from unrolled.config import Part

__all__ = ["FIXED", "RACE", "Choice", "Source"]

FIXED, RACE = "fixed", "race"  # values of the option ``plan``: nothing is chosen; alternatives are tried

Source = Literal["asked", "fixed", "rule", "race", "blend", "clock"]


class Choice(Part):
    """One value of the plan.

    Attributes:
        field: the option that would set it.
        value: what was chosen.
        source: the user, a constant, a rule over the facts, the race, the mixture, or the clock, which is read once.
        reason: why, in words.
    """

    field: str
    value: Any
    source: Source
    reason: str

    def say(self) -> str:
        """The choice in a line.

        >>> Choice(field="batch", value=4, source="rule", reason="229 rows").say()
        'plan: batch 4 (229 rows)'
        """
        return f"plan: {self.field} {self.value} ({self.reason})"
