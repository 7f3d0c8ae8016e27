"""The protocol of metrics: from judged answers to sums, and from sums to numbers with a declared direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor

from unrolled.registry import Registry

__all__ = ["METRICS", "Measure", "Metric", "Signed", "Sums", "best_first", "cost", "in_order", "measure"]

METRICS = Registry("metric")

Sums = dict[str, Tensor]  # what a metric adds up over batches, entry by entry


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a metric reports.

    Attributes:
        name: the reported name, including the unit; ``*`` stands for the kind of answer, such as ``token``.
        unit: the unit of the number.
        better: which values are better; ``None`` if neither, such as for a coverage, which should be close to its
            nominal value.
        place: where it stands in a table: in front what a practitioner reads first, such as an accuracy or an error in
            the units of the data, and at the back what only compares models, such as nats.
        wanted: the name of the measure that it should be close to, if there is one.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"] | None
    place: Literal["front", "middle", "back"] = "middle"
    wanted: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is the reported one."""
        return fnmatchcase(name, self.name)


class Metric(Protocol):
    """A metric of judged answers. A file in ``metrics/`` with a line ``MEMBER = Class`` is a metric.

    Attributes:
        judges: the types of judged answers that it accepts (see `unrolled.metrics.judged`). It is reported for every
            task and baseline that gives one of them.
        measures: the numbers that it reports.
    """

    judges: ClassVar[tuple[type, ...]]
    measures: ClassVar[tuple[Measure, ...]]

    def sums(self, judged: Any) -> Sums:
        """The sums of these answers. The sums of two batches, added, are the sums of both together."""

    def values(self, sums: Sums) -> dict[str, float]:
        """The numbers by name, without those for which there were no answers."""


@runtime_checkable
class Signed(Protocol):
    """A metric whose numbers depend on settings that papers cite."""

    def signatures(self) -> dict[str, str]:
        """The name of each number -> its signature."""


def measure(name: str) -> Measure | None:
    """The measure that is reported as ``name``; ``None`` if no metric declares it.

    Example:
        >>> measure("bits_per_character").better
        'lower'
    """
    return next((found for found in _measures() if found.is_called(name)), None)


def _measures() -> Iterator[Measure]:
    for metric in METRICS.members().values():
        yield from metric.measures


def cost(name: str, value: float) -> float:
    """``value`` with its sign chosen so that lower is better; NaN if the measure declares no direction.

    Example:
        >>> cost("accuracy", 0.75), cost("mse_scaled", 0.75), cost("coverage", 0.75)
        (-0.75, 0.75, nan)
    """
    found = measure(name)
    if found is None or found.better is None:
        return math.nan
    return -value if found.better == "higher" else value


def in_order(metrics: Mapping[str, float]) -> dict[str, float]:
    """``metrics`` in the order of a table: what a practitioner reads first, and at the back what compares models.

    Example:
        >>> in_order({"loss_nats_per_label": 0.4, "macro_f1": 0.8, "accuracy": 0.9})
        {'accuracy': 0.9, 'macro_f1': 0.8, 'loss_nats_per_label': 0.4}
    """

    def place(item: tuple[str, float]) -> int:
        found = measure(item[0])
        return ["front", "middle", "back"].index("middle" if found is None else found.place)

    return dict(sorted(metrics.items(), key=place))


def best_first(rows: Mapping[str, dict[str, float]], name: str) -> dict[str, dict[str, float]]:
    """``rows`` sorted by the measure ``name``, best first; rows without it come last.

    Example:
        >>> list(best_first({"a": {"mrr": 0.1}, "b": {}, "c": {"mrr": 0.5}}, "mrr"))
        ['c', 'a', 'b']
    """

    def place(row: dict[str, float]) -> float:
        found = cost(name, row.get(name, math.nan))
        return math.inf if math.isnan(found) else found

    return dict(sorted(rows.items(), key=lambda row: place(row[1])))
