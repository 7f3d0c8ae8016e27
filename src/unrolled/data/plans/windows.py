"""Plans: which steps of which rows make each batch.

A plan is a list of batches that is computed, not stored: ``plan[i]`` is a pure function of the lengths, the seed, the
epoch and i. So the position in an epoch is one number, and a run resumes exactly where it stopped. Four plans serve
every task: whole rows in buckets of similar length, pieces of rows with hidden steps, lanes for truncated
backpropagation through time, and windows of history for forecasts. A segment never crosses from one sequence into
another.

Axes: B rows of a batch, N sequences.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from unrolled.data.plans.segments import Segments, Transform
from unrolled.data.plans.strands import Strands

__all__ = ["Lanes", "Pieces", "Plan", "Rows", "Transformed", "Windows"]

_POOL = 64  # batches sorted by length together: little padding, but the order stays random


class Plan(Protocol):
    """A computed list of batches."""

    @property
    def carries(self) -> bool:
        """Whether a segment continues from the state of its lane in the previous batch."""

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms of each gathered batch, in the order in which they are applied."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Segments: ...


class Transformed:
    """The batches of ``plan``, with ``transforms`` applied before its own."""

    def __init__(self, plan: Plan, transforms: tuple[Transform, ...]) -> None:
        self.carries, self.transforms = plan.carries, (*transforms, *plan.transforms)
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Segments:
        return self._plan[index]


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, epoch]))


class Rows:
    """Whole rows; batches hold rows of similar length, in random order with a seed, otherwise in order of length.

    Args:
        lengths: (N,) int64 steps of each row.
        batch: rows in a batch, ≥ 1.
        seed: ``None`` for a fixed order, as in evaluation.
        epoch: each epoch has another order.
        keep_empty: keep rows of length 0 (to predict them); training drops them.
        kept: (N,) bool, the rows that are kept instead, of length 0 or not.
        strands: with a seed, half of the rows of each epoch are read from their other strand.
        starts: (N,) int64, the first step of each row that is read; by default 0.
        asked: (N,) int64, the first step of each row whose loss counts; by default 0. A row without such steps is
            dropped.
    """

    carries = False

    def __init__(
        self,
        lengths: np.ndarray,
        batch: int,
        seed: int | None = None,
        epoch: int = 0,
        *,
        keep_empty: bool = False,
        kept: np.ndarray | None = None,
        strands: Strands | None = None,
        starts: np.ndarray | None = None,
        asked: np.ndarray | None = None,
    ) -> None:
        self.transforms: tuple[Transform, ...] = ()
        self._starts = np.zeros_like(lengths) if starts is None else starts
        self._asked = np.zeros_like(lengths) if asked is None else asked
        if kept is None:
            kept = np.ones(len(lengths), bool) if keep_empty else lengths > self._asked
        rows = np.flatnonzero(kept)
        if seed is None:
            rows = rows[np.argsort(lengths[rows], kind="stable")]
            order = np.arange(-(-len(rows) // batch))
        else:
            random = _generator(seed, epoch)
            rows = random.permutation(rows)
            pool = np.arange(len(rows)) // (batch * _POOL)
            rows = rows[np.lexsort((lengths[rows], pool))]
            order = random.permutation(-(-len(rows) // batch))
            if strands is not None:
                self.transforms = (strands.turning(random.random(len(lengths)) < 0.5),)
        self._rows, self._order, self._lengths, self._batch = rows, order, lengths, batch

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Segments:
        start = int(self._order[index]) * self._batch
        rows = self._rows[start : start + self._batch]
        starts, stops, scored = self._starts[rows], self._lengths[rows], self._asked[rows] - self._starts[rows]
        return Segments(rows, starts, stops, scored, np.ones(len(rows), bool))


class Pieces:
    """Pieces of rows with similar lengths, each its own sequence, of which ``masking`` hides a share.

    Args:
        lengths: (N,) int64 steps of each row; one of length 0 is left out.
        steps: the most steps in a piece, ≥ 1; a longer row is cut into equal pieces.
        masking: hides a share of each batch.
        batch, seed, epoch: as in `Rows`.
    """

    carries = False

    def __init__(
        self, lengths: np.ndarray, steps: int, masking: Transform, batch: int, seed: int | None = None, epoch: int = 0
    ) -> None:
        counts = -(-lengths // steps)
        rows = np.repeat(np.arange(len(lengths)), counts)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._rows, self.transforms = rows, (masking,)
        self._starts = nth * lengths[rows] // counts[rows]
        self._stops = (nth + 1) * lengths[rows] // counts[rows]
        self._plan = Rows(self._stops - self._starts, batch, seed, epoch)

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Segments:
        part = self._plan[index]
        rows, starts, stops = (values[part.rows] for values in (self._rows, self._starts, self._stops))
        return replace(part, rows=rows, starts=starts, stops=stops)


class Lanes:
    """All sequences end to end, cut into ``lanes`` equal shares that advance side by side, ``window`` steps a batch.

    A sequence that a share's border cuts continues in the next lane as a separate piece. Each piece starts from an
    empty state, and no window reaches over its end. A lane that has ended has segments of length 0, which do not change
    its state. With a seed the order of the sequences is shuffled, and the first window of long pieces has a random
    length, so that windows start elsewhere in every epoch.

    Args:
        lengths: (N,) int64 steps of each sequence.
        lanes: B ≥ 1; fewer are used if there is less than one window for each.
        window: steps in a batch, ≥ 1 (k1 of truncated BPTT).
        seed: ``None`` for a fixed order.
        epoch: each epoch has another order.
        context: steps that a piece starting inside a sequence reads before its first scored step (evaluation).
    """

    carries = True
    transforms = ()

    def __init__(
        self, lengths: np.ndarray, lanes: int, window: int, seed: int | None = None, epoch: int = 0, context: int = 0
    ) -> None:
        order = np.flatnonzero(lengths > 0)
        phase = window
        if seed is not None:
            random = _generator(seed, epoch)
            order = random.permutation(order)
            if len(order) and lengths[order].mean() > 8 * window:
                phase = int(random.integers(window // 2, window)) + 1
        ends = np.cumsum(lengths[order])
        total = int(ends[-1]) if len(order) else 0
        lanes = max(1, min(lanes, total // window))
        borders = np.linspace(0, total, lanes + 1).astype(np.int64)
        self._window, self._phase = window, phase
        self._pieces = [_pieces(order, ends, lengths, int(a), int(b), context) for a, b in pairwise(borders)]
        self._until = [np.cumsum(self._count(stops - starts)) for _, starts, stops, _ in self._pieces]
        self._batches = max((int(until[-1]) for until in self._until if len(until)), default=0)

    def _count(self, steps: np.ndarray) -> np.ndarray:
        return 1 + -(-np.maximum(steps - self._phase, 0) // self._window)

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, index: int) -> Segments:
        if not 0 <= index < self._batches:
            raise IndexError(index)
        out = np.zeros((4, len(self._pieces)), np.int64)
        fresh = np.zeros(len(self._pieces), bool)
        for lane, ((rows, starts, stops, scored), until) in enumerate(zip(self._pieces, self._until, strict=True)):
            piece = int(np.searchsorted(until, index, side="right"))
            if piece == len(until):
                continue  # the lane has ended: a segment of length 0
            nth = index - (int(until[piece - 1]) if piece else 0)
            start = int(starts[piece]) + (0 if nth == 0 else self._phase + (nth - 1) * self._window)
            stop = min(start + (self._phase if nth == 0 else self._window), int(stops[piece]))
            context = min(max(int(scored[piece]) - start, 0), stop - start)
            out[:, lane] = rows[piece], start, stop, context
            fresh[lane] = nth == 0
        return Segments(out[0], out[1], out[2], out[3], fresh)


def _pieces(
    order: np.ndarray, ends: np.ndarray, lengths: np.ndarray, first: int, last: int, context: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(row, start, stop, first scored step) of the pieces in ``first … last`` of the sequences laid end to end."""
    left = int(np.searchsorted(ends, first, side="right"))
    right = int(np.searchsorted(ends, last, side="left")) + 1
    rows = order[left:right] if last > first else order[:0]
    begins = ends[left : left + len(rows)] - lengths[rows]
    scored = np.maximum(first - begins, 0)
    stops = np.minimum(last - begins, lengths[rows])
    return rows, np.maximum(scored - context, 0), stops, scored


class Windows:
    """Windows of history, each followed by the steps to forecast.

    Args:
        rows, ends: (N,) int64: window n is the last ``lookback`` steps before step ``ends[n]`` of row ``rows[n]``.
        lookback: the most steps of history.
        batch: windows in a batch.
        seed: ``None`` for a fixed order.
        epoch: each epoch has another order.
    """

    carries = False
    transforms = ()

    def __init__(
        self, rows: np.ndarray, ends: np.ndarray, lookback: int, batch: int, seed: int | None = None, epoch: int = 0
    ) -> None:
        order = np.arange(len(rows)) if seed is None else _generator(seed, epoch).permutation(len(rows))
        self._rows, self._ends = rows[order], ends[order]
        self._lookback, self._batch = lookback, batch

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch)

    def __getitem__(self, index: int) -> Segments:
        part = slice(index * self._batch, (index + 1) * self._batch)
        rows, stops = self._rows[part], self._ends[part]
        zeros = np.zeros(len(rows), np.int64)
        return Segments(rows, np.maximum(stops - self._lookback, 0), stops, zeros, np.ones(len(rows), bool))
