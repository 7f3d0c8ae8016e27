"""Size curves: a choice that grows with a measured number, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Curve"]

Value = TypeVar("Value", bound=float)


@dataclass(frozen=True, slots=True)
class Curve(Generic[Value]):
    """The value of the first rung that is high enough.

    Attributes:
        rungs: (at most, value), from the lowest.
        beyond: the value above all rungs.

    Example:
        >>> batch = Curve(((256, 4), (1_024, 8)), 16)
        >>> batch(256), batch(257), batch(5_000)
        (4, 8, 16)
    """

    rungs: tuple[tuple[float, Value], ...]
    beyond: Value

    def __call__(self, number: float) -> Value:
        """The value at ``number``."""
        return next((value for most, value in self.rungs if number <= most), self.beyond)

    def below(self, value: Value) -> Value | None:
        """The next smaller value of the curve; ``None`` if ``value`` is the smallest."""
        smaller = [one for one in (*(value for _, value in self.rungs), self.beyond) if one < value]
        return max(smaller, default=None)
