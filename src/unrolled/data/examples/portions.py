"""Portions of a split: some of its rows, some of its steps, or all of its questions in a few groups."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.errors import counted

__all__ = ["Groups", "cut_steps", "grouped", "take_rows"]

_FEW = 10  # with fewer rows than this, the groups are stretches of steps instead of rows
_HISTORY = 64  # steps that a stretch reads before the first one that it asks about


def take_rows(examples: Examples, rows: np.ndarray) -> Examples:
    """Only ``rows``, in that order."""
    return replace(
        examples,
        inputs={name: _take(column, rows) for name, column in examples.inputs.items()},
        target=None if examples.target is None else _take(examples.target, rows),
        first=None if examples.first is None else examples.first[rows],
        naive=None if examples.naive is None else examples.naive[rows],
    )


def cut_steps(examples: Examples, begins: np.ndarray, ends: np.ndarray) -> Examples:
    """Steps ``begins[r] … ends[r]`` of each row r, without rows that become empty."""
    rows = np.flatnonzero(ends > begins)

    def cut(column: Encoded, spec: Spec | None) -> Encoded:
        if column.offsets is None or (spec is not None and spec.side):  # a side sequence belongs to every step
            return _take(column, rows)
        starts, stops = column.offsets[rows], column.offsets[rows + 1]  # known covariates may be shorter
        return _slices(column, np.minimum(starts + begins[rows], stops), np.minimum(starts + ends[rows], stops))

    return replace(
        examples,
        inputs={name: cut(column, examples.specs[name]) for name, column in examples.inputs.items()},
        target=None if examples.target is None else cut(examples.target, None),
        first=None if examples.first is None else np.maximum(examples.first - begins, 0)[rows],
        naive=None if examples.naive is None else examples.naive[rows],
    )


class Groups(NamedTuple):
    """A split in groups that hold about equally many questions.

    Attributes:
        parts: the groups; each can be judged by itself.
        share: the share of the split's steps that they hold.
        cases: the sequences of the split or, where it has few, the stretches of steps that do not overlap.
        rows: whether the groups are of whole rows; the sums of all groups are then those of the split.
    """

    parts: tuple[Examples, ...]
    share: float
    cases: int
    rows: bool = False

    def what(self, examples: Examples) -> str:
        """What the cases of these groups of ``examples`` are, in words: ``sequences``, ``windows of 6 steps``."""
        one = "sequence" if self.rows else "window" if examples.horizon else "step"
        many = one if self.cases == 1 else f"{one}s"
        return many if self.rows or not examples.horizon else f"{many} of {counted(examples.horizon, 'step')}"


def grouped(examples: Examples, most: int = 40, steps: int = 100_000) -> Groups:
    """Divide a split into groups, to measure how much a score varies between them.

    The groups are of rows or, where there are few rows, stretches of consecutive steps.

    Args:
        examples: the split.
        most: the largest number of groups, ≥ 1.
        steps: about the largest number of steps in all groups together; of a longer split evenly spaced rows, or the
            beginnings of stretches, are taken.

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.data.forms.horizon import Horizon
        >>> series = Encoded(np.arange(60.0)[:, None], np.array([0, 60]))
        >>> wave = Examples({"x": series}, {"x": Continuous(1)}, series, Continuous(1), Horizon(6), np.array([40]))
        >>> groups = grouped(wave)
        >>> [(int(part.first[0]), int(part.steps()[0])) for part in groups.parts], groups.cases
        ([(40, 52), (47, 60)], 3)
    """
    lengths = examples.steps()
    first = np.zeros_like(lengths) if examples.first is None else np.minimum(examples.first, lengths)
    asked = np.maximum(lengths - first - max(0, examples.horizon - 1), 0)  # the last windows begin H steps earlier
    rows = np.flatnonzero(asked > 0)
    share = min(1.0, steps / max(1, int(asked.sum())))
    if len(rows) >= _FEW or examples.form.whole:
        kept = rows[:: max(1, round(1 / share))]
        count = min(most, len(kept))
        parts = tuple(take_rows(examples, kept[group::count]) for group in range(count))
        return Groups(parts, len(kept) / max(1, len(rows)), len(rows), rows=True)
    width = max(1, examples.horizon)
    each = max(1, most // max(1, len(rows)))
    parts = tuple(part for row in rows for part in _stretches(examples, int(row), int(first[row]), each, width, share))
    return Groups(parts, share, int((-(-asked[rows] // width)).sum()))


def _stretches(examples: Examples, row: int, first: int, most: int, width: int, share: float) -> tuple[Examples, ...]:
    """At most ``most`` stretches of ``row``, each at least ``width`` steps long, from step ``first`` on.

    Of each stretch only the ``share`` at its beginning is kept.
    """
    whole = take_rows(examples, np.array([row]))
    last = int(whole.steps()[0]) - max(0, examples.horizon - 1)
    count = max(1, min(most, (last - first) // width))
    borders = np.linspace(first, last, count + 1).astype(np.int64)
    found = []
    for begin, end in pairwise(borders):
        stop = begin + max(1, round(share * (end - begin)))
        start = 0 if examples.horizon else max(0, begin - _HISTORY)
        part = replace(whole, first=np.array([begin]))
        found.append(cut_steps(part, np.array([start]), np.array([stop + max(0, examples.horizon - 1)])))
    return tuple(found)


def _take(column: Encoded, rows: np.ndarray) -> Encoded:
    if column.offsets is None:
        return Encoded(column.values[rows], None)
    return _slices(column, column.offsets[rows], column.offsets[rows + 1])


def _slices(column: Encoded, starts: np.ndarray, stops: np.ndarray) -> Encoded:
    offsets = np.concatenate([[0], np.cumsum(stops - starts)])
    if len(starts) and np.array_equal(starts[1:], stops[:-1]):
        return Encoded(column.values[starts[0] : stops[-1]], offsets)
    pieces = [column.values[start:stop] for start, stop in zip(starts, stops, strict=True)]
    return Encoded(np.concatenate([column.values[:0], *pieces]), offsets)
