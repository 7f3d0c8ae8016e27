"""What a metric is: a program from judged answers to sums, and from sums to numbers of which it says which are good."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor

from unrolled.registry import Registry

__all__ = ["METRICS", "Measure", "Metric", "Sums", "best_first", "cost", "measure"]

METRICS = Registry("metric")

Sums = dict[str, Tensor]  # what judged answers add to a metric: every entry is summed over batches


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a metric gives.

    Attributes:
        name: under which it is reported, unit included; ``*`` stands for what one answer is, such as ``token``.
        unit: what it is counted in.
        better: which values are better; ``None`` where neither is, as of a coverage, which should be near its nominal
            value.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"] | None


class Metric(Protocol):
    """A program over judged answers. A file in ``metrics/`` with a line ``MEMBER = Class`` is a metric.

    Attributes:
        judges: the kinds of answers that it is computed from (see `unrolled.metrics.judged`). It is reported wherever
            a task or a baseline gives one of them.
        measures: the numbers that it gives.
    """

    judges: ClassVar[tuple[type, ...]]
    measures: ClassVar[tuple[Measure, ...]]

    def sums(self, judged: Any) -> Sums:
        """What these answers add; the sums of two batches, added, are those of both together."""

    def values(self, sums: Sums) -> dict[str, float]:
        """The numbers, by name; those of which no answer was judged are left out."""


def measure(name: str) -> Measure | None:
    """The declared measure that is reported under ``name``; ``None`` where no metric declares it.

    Example:
        >>> measure("bits_per_character").better
        'lower'
    """
    return next((found for found in _measures() if fnmatchcase(name, found.name)), None)


def _measures() -> Iterator[Measure]:
    for metric in METRICS.members().values():
        yield from metric.measures


def cost(name: str, value: float) -> float:
    """What is small where ``value`` is good; NaN, which is never smaller, where no direction is declared.

    Example:
        >>> cost("accuracy", 0.75), cost("mse_scaled", 0.75), cost("coverage", 0.75)
        (-0.75, 0.75, nan)
    """
    found = measure(name)
    if found is None or found.better is None:
        return math.nan
    return -value if found.better == "higher" else value


def best_first(rows: Mapping[str, dict[str, float]], name: str) -> dict[str, dict[str, float]]:
    """``rows`` in the order of their measure ``name``, those without it last.

    Example:
        >>> list(best_first({"a": {"mrr": 0.1}, "b": {}, "c": {"mrr": 0.5}}, "mrr"))
        ['c', 'a', 'b']
    """

    def place(row: dict[str, float]) -> float:
        found = cost(name, row.get(name, math.nan))
        return math.inf if math.isnan(found) else found

    return dict(sorted(rows.items(), key=lambda row: place(row[1])))
