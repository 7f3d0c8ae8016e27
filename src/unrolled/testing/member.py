"""Checks a member against the contracts of its kind, which Unrolled's own members keep too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.config import default_options, made
from unrolled.declarations import Owner, declared
from unrolled.errors import UsageError, did_you_mean
from unrolled.layers.config import ModelConfig
from unrolled.registry import Registry
from unrolled.testing import cells, encodings, layers, metrics, readers, runs
from unrolled.testing.answers import JUDGED
from unrolled.testing.report import Broken, Outcome, Report, outcome
from unrolled.testing.sample_columns import Sample
from unrolled.testing.subject import Subject

__all__ = ["check_member"]


def check_member(member: Any, kind: str | None = None, *, example: Any = None) -> Report:
    """Check ``member`` against every contract of its kind.

    Args:
        member: the name of an installed or registered member, such as ``cell.leaky``; or the member itself.
        kind: the kind of a member that is not given by name: a key of `unrolled.registry.FOLDERS`, such as ``cell``.
        example: for a reader, the path of a valid file. For a task or a baseline, a small table for it, and the options
            of `unrolled.fit`: ``({"text": […], "label": […]}, {"target": "label"})``. For an encoding, a training
            column without missing values and a later one with unseen values, as two Arrow arrays; ``None`` uses every
            sample column that it recognises. Other kinds need none.

    Returns:
        the contracts that were checked; all of them hold.

    Raises:
        Broken: contracts do not hold; the message says which, and why.
        UsageError: the member or the kind is unknown, or its options cannot be read without importing it.

    Example:
        >>> print(check_member("cell.gru").faults)
        cell.gru: 46 of 46 contracts hold
    """
    if isinstance(member, str):
        title, (kind, _, name) = member, member.partition(".")
        member = Registry(_known(kind)).get(name)
        _check_options(kind, name, member)
    else:
        title = name = str(getattr(member, "__name__", type(member).__name__))
    report = Report(title, tuple(_OUTCOMES[_known(kind)](member, name, example)))
    if report.broken:
        raise Broken(report.faults)
    return report


def _known(kind: str | None) -> str:
    if kind is None:
        raise UsageError("pass the kind of this member as the second argument, such as 'cell'")
    if kind not in _OUTCOMES:
        raise UsageError(f"there are no contracts for members of kind {kind!r}.{did_you_mean(kind, _OUTCOMES)}")
    return kind


def _check_options(kind: str, name: str, member: Any) -> None:
    """Refuse options that ``--help`` could not list."""
    wanted = type(default_options(member)).model_fields.keys()
    found = {option.name for option in declared().get(Owner(kind, name), ())}
    if unread := sorted(wanted - found):
        raise UsageError(
            f"{kind}.{name}: the option {unread[0]} cannot be read without importing the member: declare it in the "
            'member\'s file with option(default, "Help.", …), with literals only'
        )


def _cell(member: Any, *_: Any) -> Iterator[Outcome]:
    options = default_options(member)
    make = partial(made, member, options=options) if type(options).model_fields else member
    of_a_step = [outcome(contract, make) for contract in cells.CONTRACTS]
    yield from of_a_step
    if all(
        found.fault is None for found in of_a_step
    ):  # otherwise the contracts of layers would repeat the same faults
        for subject in cells.layers_of(make):
            yield from _over_time(subject)


def _layer(member: Any, name: str, _: Any) -> Iterator[Outcome]:
    _check_named("layer", member, name)
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


def _encoding(kind: Any, _: str, example: tuple[pa.Array, pa.Array] | None) -> Iterator[Outcome]:
    samples = encodings.samples_of(kind) if example is None else {"": Sample(*example)}
    if not samples:
        raise UsageError("this encoding recognises no sample column: pass example=(training column, later column)")
    for name, sample in samples.items():
        for contract in encodings.CONTRACTS:
            yield outcome(contract, kind, sample, subject=name)


def _reader(reader: Any, name: str, example: str | Path | None) -> Iterator[Outcome]:
    _check_named("reader", reader, name)
    if example is None:
        raise UsageError("a reader is checked with a valid file: pass example=path")
    for contract in readers.CONTRACTS:
        with tempfile.TemporaryDirectory() as folder:
            yield outcome(contract, reader, Path(example), Path(folder))


def _check_named(kind: str, member: Any, name: str) -> None:
    """Refuse an unregistered member with options, since it looks these up by its name."""
    if type(default_options(member)).model_fields and name not in Registry(kind):
        raise UsageError(
            f"a {kind} with options is checked by its name: register it, and pass the name, such as '{kind}.own'"
        )


def _metric(member: Any, *_: Any) -> Iterator[Outcome]:
    kinds = [kind for kind in member.judges if kind in JUDGED]
    if not kinds:
        raise UsageError(
            "this metric scores none of the answers in unrolled.metrics.judged, so there are no samples for it"
        )
    for kind in kinds:
        for contract in metrics.CONTRACTS:
            yield outcome(contract, member, kind, subject=kind.__name__)


def _task(_: Any, name: str, example: tuple[Any, dict[str, Any]] | None) -> Iterator[Outcome]:
    if name not in Registry("task"):
        raise UsageError("a task is checked with a run: register it, and pass its name, such as 'task.lowest'")
    with _small_run(example, {"task": name}) as run:
        first, *others = runs.TASK_CONTRACTS
        trained = outcome(first, run)
        yield trained
        if trained.fault is None:
            yield from (outcome(contract, run) for contract in others)


def _baseline(member: Any, _: str, example: tuple[Any, dict[str, Any]] | None) -> Iterator[Outcome]:
    with _small_run(example, {}) as run:
        for contract in runs.BASELINE_CONTRACTS:
            yield outcome(contract, member, run)


@contextmanager
def _small_run(example: tuple[Any, dict[str, Any]] | None, options: dict[str, Any]) -> Iterator[runs.SmallRun]:
    if example is None:
        raise UsageError("this kind of member is checked with a small run: pass example=(columns, options of fit)")
    with tempfile.TemporaryDirectory() as folder:
        yield runs.SmallRun(example[0], {**example[1], **options}, Path(folder) / "run")


_OUTCOMES: dict[str, Callable[[Any, str, Any], Iterator[Outcome]]] = {
    "baseline": _baseline,
    "cell": _cell,
    "encoding": _encoding,
    "layer": _layer,
    "metric": _metric,
    "reader": _reader,
    "task": _task,
}
