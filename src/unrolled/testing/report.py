"""The report on a member: the contracts that were checked, and how they failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from unrolled.errors import UnrolledError

__all__ = ["Broken", "Outcome", "Report", "outcome", "require"]


class Broken(UnrolledError, AssertionError):
    """A contract is broken; the message says which values differ, or what did not happen."""


def require(holds: bool, fault: str) -> None:
    """Raise `Broken` with the text ``fault`` unless ``holds``."""
    if not holds:
        raise Broken(fault)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one contract on one subject.

    Attributes:
        contract: what the contract demands, in a sentence.
        subject: what was checked, such as ``two layers``; empty for the member itself.
        fault: how the contract is broken; ``None`` if it holds.
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
    """The results of every contract of a member; ``print`` shows them, the broken ones first."""

    member: str
    outcomes: tuple[Outcome, ...]

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """The contracts that do not hold."""
        return tuple(outcome for outcome in self.outcomes if outcome.fault is not None)

    @property
    def faults(self) -> str:
        """The number of contracts that hold, and a list of those that do not."""
        count = len(self.outcomes) - len(self.broken)
        return "\n".join([f"{self.member}: {count} of {len(self.outcomes)} contracts hold", *map(str, self.broken)])

    def __str__(self) -> str:
        return "\n".join([self.faults, *(str(outcome) for outcome in self.outcomes if outcome.fault is None)])


def outcome(contract: Callable[..., None], *given: Any, subject: str = "") -> Outcome:
    """Check ``contract`` on what is ``given``; its docstring says what it demands."""
    demand = " ".join((getdoc(contract) or contract.__name__).split("\n\n")[0].split())
    try:
        contract(*given)
    except Exception as error:  # a member may fail in any way; all of them are reported
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return Outcome(demand, subject, f"{kind}{error}")
    return Outcome(demand, subject, None)
