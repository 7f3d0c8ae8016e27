"""Which of several values are taken together, which one after the other, and where a session's run of them ends.

Axes: N values, S steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, takewhile
from typing import Any

import numpy as np

from unrolled.data.examples.live_row import LiveSteps
from unrolled.errors import DataError, UnrolledError

__all__ = ["Run", "allowed", "rounds", "runs_of", "waves"]

Run = tuple[list[dict[str, Any]], UnrolledError | None]  # answers, and why there are no more


def waves(slots: Sequence[int | None], *, remembers: bool) -> list[Sequence[int]]:
    """The numbers of the values that are encoded together, one wave after another.

    Args:
        slots: (N,), whose value each is; ``None`` for one that is left out.
        remembers: the encoding of a value may depend on the value before.

    Example:
        >>> waves([7, 7, None, 3], remembers=True)
        [[0, 3], [1]]
    """
    numbers: Sequence[int] = range(len(slots))
    if None in slots:
        numbers = [number for number in numbers if slots[number] is not None]
    if not numbers or not remembers or len({*slots}) == len(slots):
        return [numbers] if numbers else []
    found: list[list[int]] = []
    seen: dict[int | None, int] = {}
    for number in numbers:
        turn = seen[slots[number]] = seen.get(slots[number], -1) + 1
        if turn == len(found):
            found.append([])
        found[turn].append(number)
    return list[Sequence[int]](found)


def rounds(slots: np.ndarray) -> list[np.ndarray]:
    """The numbers of the steps that are taken together, one round after another.

    Args:
        slots: (S,), whose step each is.

    Example:
        >>> [one.tolist() for one in rounds(np.array([7, 7, 3, 7]))]
        [[0, 2], [1], [3]]
    """
    if len({*slots.tolist()}) == len(slots):
        return [np.arange(len(slots))]
    order = np.argsort(slots, kind="stable")
    own = slots[order]
    begins = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
    turn = np.empty(len(slots), np.int64)
    turn[order] = np.arange(len(slots)) - np.repeat(begins, np.diff(np.append(begins, len(slots))))
    return np.split(np.argsort(turn, kind="stable"), np.cumsum(np.bincount(turn))[:-1])


def allowed(
    steps: LiveSteps, slots: np.ndarray, most: int, *, ends: bool
) -> tuple[LiveSteps, dict[int, UnrolledError]]:
    """The steps that are taken, and why a value has none.

    Args:
        steps: those of N values.
        slots: (N,), whose value each is.
        most: of one value.
        ends: a value that is refused ends the run of its slot: those behind it are left out, and nothing is said of
            them.
    """
    if not steps.refused and not steps.apart and len(steps.item) <= most:
        return steps, {}
    refused = dict(steps.refused)
    counts = np.bincount(steps.item, minlength=len(slots))
    counts[list(steps.apart)] = list(map(len, steps.apart.values()))
    for item in np.flatnonzero(counts > most).tolist():
        many = f"the value has {counts[item]} steps, at most {most} are taken at once"
        refused[item] = DataError(f"{many}: send it in parts")
    if not refused:
        return steps, refused
    kept = np.ones(len(slots), bool)
    kept[list(refused)] = False
    if ends:
        first: dict[int, int] = {}
        for item in sorted(refused):
            first.setdefault(int(slots[item]), item)
        refused = {item: refused[item] for item in first.values()}
        kept = np.array([item < first.get(slot, len(slots)) for item, slot in enumerate(slots.tolist())], bool)
    return steps.only(kept), refused


def runs_of(answers: Sequence[Any], counts: Sequence[int]) -> list[Run]:
    """The answers to runs of so many values, each up to its first error.

    Example:
        >>> runs_of([{"y": 1}, {"y": 2}, UnrolledError("no"), None], [1, 3])
        [([{'y': 1}], None), ([{'y': 2}], UnrolledError('no'))]
    """
    if {*counts} == {1}:
        return [([one], None) if isinstance(one, dict) else ([], one) for one in answers]
    found: list[Run] = []
    rest = iter(answers)
    for count in counts:
        own = list(islice(rest, count))
        good = list(takewhile(lambda one: isinstance(one, dict), own))
        found.append((good, own[len(good)] if len(good) < count else None))
    return found
