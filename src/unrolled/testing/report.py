"""What a member was held to, where it failed, and how a contract says that it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from unrolled.errors import UnrolledError

__all__ = ["Broken", "Outcome", "Report", "outcome", "require"]


class Broken(UnrolledError, AssertionError):
    """A contract is broken; says which values differ, or what did not happen."""


def require(holds: bool, fault: str) -> None:
    """Raise `Broken` with the text ``fault`` unless ``holds``."""
    if not holds:
        raise Broken(fault)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One contract, held against one thing.

    Attributes:
        contract: what it demands, in a sentence.
        subject: what was held to it, such as ``two layers``; empty where that is the member itself.
        fault: how it is broken; ``None`` if it holds.
    """

    contract: str
    subject: str
    fault: str | None

    def __str__(self) -> str:
        of = f" [{self.subject}]" if self.subject else ""
        return (
            f"holds   {self.contract}{of}"
            if self.fault is None
            else f"BROKEN  {self.contract}{of}\n        {self.fault}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Every contract that a member was held to; ``print`` shows them, the broken ones first."""

    member: str
    outcomes: tuple[Outcome, ...]

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """Those that do not hold."""
        return tuple(outcome for outcome in self.outcomes if outcome.fault is not None)

    @property
    def faults(self) -> str:
        """How many contracts hold, and those that do not."""
        count = len(self.outcomes) - len(self.broken)
        return "\n".join([f"{self.member}: {count} of {len(self.outcomes)} contracts hold", *map(str, self.broken)])

    def __str__(self) -> str:
        return "\n".join([self.faults, *(str(outcome) for outcome in self.outcomes if outcome.fault is None)])


def outcome(contract: Callable[..., None], *given: Any, subject: str = "") -> Outcome:
    """Hold what is ``given`` to a contract, whose docstring says what it demands."""
    demand = " ".join((getdoc(contract) or contract.__name__).split("\n\n")[0].split())
    try:
        contract(*given)
    except Exception as error:  # a member may fail in any way; all of them are reported
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return Outcome(demand, subject, f"{kind}{error}")
    return Outcome(demand, subject, None)
