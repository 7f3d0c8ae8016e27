"""Hold a member to the contracts of its kind: the same that the package's own members are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from unrolled.config import ModelConfig
from unrolled.errors import UsageError, did_you_mean
from unrolled.registry import Registry
from unrolled.testing import cells, layers
from unrolled.testing.report import Outcome, Report, outcome
from unrolled.testing.subject import Broken, Subject

__all__ = ["check_member"]


def check_member(member: Any, kind: str | None = None) -> Report:
    """Hold ``member`` to every contract of its kind.

    Args:
        member: the name of one that is installed or registered, such as ``cell.leaky``; or the member itself.
        kind: of a member that is not given by name: ``cell`` or ``layer``.

    Returns:
        what it was held to. All of it holds.

    Raises:
        Broken: contracts do not hold; the message says which, and why.
        UsageError: there is no such member or kind.

    Example:
        >>> print(check_member("cell.gru").faults)
        cell.gru: 46 of 46 contracts hold
    """
    if isinstance(member, str):
        title, (kind, _, name) = member, member.partition(".")
        member = Registry(_known(kind)).get(name)
    else:
        title = name = str(getattr(member, "__name__", type(member).__name__))
    report = Report(title, tuple(_OUTCOMES[_known(kind)](member, name)))
    if report.broken:
        raise Broken(report.faults)
    return report


def _known(kind: str | None) -> str:
    if kind is None:
        raise UsageError("give the kind of this member as the second argument, such as 'cell'")
    if kind not in _OUTCOMES:
        raise UsageError(f"there are no contracts for members of kind {kind!r}.{did_you_mean(kind, _OUTCOMES)}")
    return kind


def _cell(make: Callable[[int, int], Any], _: str) -> Iterator[Outcome]:
    of_a_step = [outcome(contract, make) for contract in cells.CONTRACTS]
    yield from of_a_step
    if all(found.fault is None for found in of_a_step):  # otherwise every contract of layers would say so again
        for subject in cells.layers_of(make):
            yield from _over_time(subject)


def _layer(member: Any, name: str) -> Iterator[Outcome]:
    for number in (1, 2):
        config = ModelConfig(name=name, layers=number, hidden=8)
        yield from _over_time(Subject(f"layers={number}", partial(_build, member, config)))


def _build(member: Any, config: ModelConfig) -> Any:
    return member.build(config, 3)


def _over_time(subject: Subject) -> Iterator[Outcome]:
    made = outcome(layers.is_a_layer, subject, subject=subject.name)
    yield made
    if made.fault is None:
        for contract in layers.contracts_of(subject):
            yield outcome(contract, subject, subject=subject.name)


_OUTCOMES: dict[str, Callable[[Any, str], Iterator[Outcome]]] = {"cell": _cell, "layer": _layer}
