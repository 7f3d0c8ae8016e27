"""The log of a training, read from its run directory as arrays: learning curves, rates, norms, looks, phases.

Axes: N logged steps, V validations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unrolled.errors import ModelError
from unrolled.inspection.names import part_in_words
from unrolled.training.hooks import LOG, Event

__all__ = ["Look", "Phase", "TrainingLog", "from_events", "read_log", "spread"]

_POSITION = ("kind", "step", "epoch", "seconds", "progress")


def spread(names: Iterable[str], most: int) -> list[str]:
    """The first name, the last one and those between, at most so many and evenly.

    Example:
        >>> spread("abcdefg", 3)
        ['a', 'd', 'g']
    """
    known = list(names)
    places = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int)
    return [known[place] for place in places]


class Look(NamedTuple):
    """What a look into the network saw (see `unrolled.runs.looks`).

    ``gates``: in words -> the shares ``closed`` and ``open``. ``sample``: what was ``given``, is ``right``, and was
    ``wrote`` by the model; empty if there is none.
    """

    step: int
    gates: dict[str, dict[str, float]]
    sample: dict[str, Any]


class Phase(NamedTuple):
    """A phase of a training, and the step at which it began: the rate is held, falls, or falls over all data."""

    name: str
    step: int


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingLog:
    """The log of a training; what was not logged is NaN.

    Attributes:
        steps: (N,) int64, the steps after which something was logged.
        seconds: (N,) float64, as are all further arrays: the time that training had taken.
        losses: (N,) the training loss, averaged over the steps since the entry before.
        rates: (N,) the learning rate.
        clipped: (N,) the share of the steps since the entry before whose gradient was clipped.
        norms: (N,) the norm of the gradient, before it was clipped.
        parts: part of the network in words, in its order -> (N,) the norm of the gradient of its weights.
        stacked: the first of these that is a layer or block of a stack; ``None`` if there is none.
        validated: (V,) int64, the steps after which the model was validated.
        valid: metric -> (V,).
        looks: what was seen inside the network.
        phases: in their order.
        flat: whether the training loss had not fallen when that was asked.
        refused: whether learning the validation data made the model worse on it.
        skipped: steps that were skipped, as their loss or gradient was not finite.
        step: the last step of which anything was logged.
        total: the steps of the whole training; ``None`` while that is unknown.
        spent: seconds of training so far.
        results: split -> the metrics at the end.
    """

    steps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    seconds: np.ndarray = field(default_factory=_none)
    losses: np.ndarray = field(default_factory=_none)
    rates: np.ndarray = field(default_factory=_none)
    clipped: np.ndarray = field(default_factory=_none)
    norms: np.ndarray = field(default_factory=_none)
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    stacked: str | None = None
    validated: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    valid: Mapping[str, np.ndarray] = field(default_factory=dict)
    looks: tuple[Look, ...] = ()
    phases: tuple[Phase, ...] = ()
    flat: bool = False
    refused: bool = False
    skipped: int = 0
    step: int = 0
    total: int | None = None
    spent: float = 0.0
    results: Mapping[str, dict[str, float]] = field(default_factory=dict)

    @property
    def left(self) -> float | None:
        """The seconds of training that are left at the pace of the last entries; ``None`` if that is unknown."""
        if self.total is None or len(self.steps) < 2:
            return None
        first = max(0, len(self.steps) - 1 - _LATELY)
        pace = (self.seconds[-1] - self.seconds[first]) / (self.steps[-1] - self.steps[first])
        return float(max(0, self.total - self.steps[-1]) * pace)

    def lately(self, values: np.ndarray) -> float:
        """The median of the last ten entries of ``values``; NaN if there are none."""
        known = values[-_LATELY:][np.isfinite(values[-_LATELY:])]
        return float(np.median(known)) if len(known) else float("nan")


_LATELY = 10  # entries


def read_log(folder: Path) -> TrainingLog:
    """The log of the run in ``folder``; empty if nothing was logged. During a race, that of the newest contestant.

    A run that is training may be read: a line that is written at this moment is left out.

    Raises:
        ModelError: an entry lacks what it needs, or holds something else.
    """
    path = folder / LOG
    try:
        if not path.is_file():
            path = max((folder / "race").glob("*.jsonl"), key=lambda log: log.stat().st_mtime_ns, default=path)
        return from_events(_events(path.read_text("utf-8", errors="replace")))
    except FileNotFoundError:  # a race that ends at this moment moves its logs
        return TrainingLog()
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:  # whole lines, but not ours
        raise ModelError(f"{path} is damaged: {error!r}; without it the model still opens") from None


def _events(text: str) -> Iterable[Event]:
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # it was, or is being, written
            continue
        if isinstance(event, dict) and isinstance(event.get("step"), int) and "kind" in event:
            yield event


def from_events(events: Iterable[Event]) -> TrainingLog:
    """The log of the events of a training, in their order."""
    of: dict[str, list[Event]] = {}
    for event in events:
        of.setdefault(event["kind"], []).append(event)
    entries, validations = of.get("step", []), of.get("valid", [])
    steps = np.array([event["step"] for event in entries], np.int64)
    paths = dict.fromkeys(path for event in entries for path in event.get("gradient_norms", {}))
    parts = _in_words(list(paths))
    stacked = next((words for path, words in parts.items() if path.rpartition(".")[2].isdecimal()), None)
    names = [name for name in dict.fromkeys(name for event in validations for name in event) if name not in _POSITION]
    finals = {kind.removesuffix("_final"): found[-1] for kind, found in of.items() if kind.endswith("_final")}
    falls, refits = of.get("fall", []), of.get("refit", [])
    every = [event for found in of.values() for event in found]
    return TrainingLog(
        steps,
        _column(entries, "seconds"),
        _column(entries, "loss"),
        _column(entries, "lr"),
        _since(steps, _column(entries, "clipped_share")),
        _column(entries, "gradient_norm"),
        {words: _column([e.get("gradient_norms", {}) for e in entries], path) for path, words in parts.items()},
        stacked,
        np.array([event["step"] for event in validations], np.int64),
        {name: _column(validations, name) for name in names},
        tuple(Look(event["step"], event["gates"], event["sample"]) for event in of.get("look", [])),
        (*([Phase("held", 0)] if entries else []), *map(_fall, falls)),
        "flat" in of,
        any(not event["kept"] for event in refits),
        len(of.get("skipped", [])),
        max((event["step"] for event in every), default=0),
        _total(of.get("steps", []), entries, falls),
        max((event["seconds"] for event in every if event.get("seconds") is not None), default=0.0),
        {split: {n: v for n, v in event.items() if n not in _POSITION} for split, event in finals.items()},
    )


def _in_words(paths: list[str]) -> dict[str, str]:
    """Each part in words; the layers of a stack are numbered without those that have no weights."""
    found, stacks = dict[str, str](), dict[str, int]()
    for path in paths:
        stack, _, number = path.rpartition(".")
        if number.isdecimal():
            found[path] = part_in_words(f"{stack}.{stacks.setdefault(stack, 0)}")
            stacks[stack] += 1
        else:
            found[path] = part_in_words(path)
    return found


def _column(events: list[Any], name: str) -> np.ndarray:
    return np.array([np.nan if event.get(name) is None else event[name] for event in events], np.float64)


def _since(steps: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The shares since the entry before, from those since the beginning."""
    return np.diff(shares * steps, prepend=0.0).round() / np.diff(steps, prepend=0)


def _fall(event: Event) -> Phase:
    return Phase("falls over all data" if event["refit"] else "falls", event["step"])


def _total(fixed: list[Event], entries: list[Event], falls: list[Event]) -> int | None:
    if falls:
        return int(falls[-1]["step"] + falls[-1]["steps"])
    known = [event for event in entries if event.get("progress")]
    if known:
        return round(known[-1]["step"] / known[-1]["progress"])
    return int(fixed[-1]["total"]) if fixed else None
