"""Plans: which steps of which rows make each batch.

A plan is a list of batches that is computed, not stored: ``plan[i]`` is a pure function of the lengths, the seed, the
epoch and i. So the position in an epoch is one number, and a run resumes exactly where it stopped. Up to a million
rows a shuffle is drawn and kept; of more it is computed batch by batch and takes no memory.

Four plans serve every task: whole rows in buckets of similar length, pieces of rows with hidden steps, lanes for
truncated backpropagation through time, and windows of history for forecasts. A segment never crosses from one sequence
into another.

Axes: B rows of a batch, N sequences.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from unrolled.data.plans.block_order import drawn
from unrolled.data.plans.counted import Pieced
from unrolled.data.plans.order import Coins, Lengths, Listed, Order, Pools, in_parts
from unrolled.data.plans.segments import Segments, Transform
from unrolled.data.plans.strands import Strands

__all__ = ["Ends", "Lanes", "Pieces", "Plan", "Rows", "Transformed", "Windows"]

_MANY = 1_000_000  # rows; the order of more is computed, not stored
_STRANDS = 1  # its own key, so that the strands do not follow the order


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


class Ends(Protocol):
    """Windows that are looked up: the row of each, and the step before which it ends."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]: ...


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, epoch]))


class Rows:
    """Whole rows; batches hold rows of similar length, in random order with a seed, otherwise in order of length.

    Args:
        lengths: the steps of each row.
        batch: rows in a batch, ≥ 1.
        seed: ``None`` for a fixed order, as in evaluation.
        epoch: each epoch has another order.
        keep_empty: keep rows of length 0 (to predict them); training drops them.
        kept: (N,) bool, the rows that are kept instead, of length 0 or not.
        strands: with a seed, half of the rows of each epoch are read from their other strand.
        starts: (N,) int64, the first step of each row that is read; by default 0.
        asked: (N,) int64, the first step of each row whose loss counts; by default 0. A row without such steps is
            dropped.
        tokens: with a seed, the most steps in a batch, padding included, in place of ``batch`` rows; see `cuts`.
        blocks: with a seed, of how many blocks the data is read, each of them once an epoch (see `Blocked`); ``None``:
            any row may follow any.
    """

    carries = False

    def __init__(
        self,
        lengths: Lengths,
        batch: int,
        seed: int | None = None,
        epoch: int = 0,
        *,
        keep_empty: bool = False,
        kept: np.ndarray | None = None,
        strands: Strands | None = None,
        starts: np.ndarray | None = None,
        asked: np.ndarray | None = None,
        tokens: int | None = None,
        blocks: int | None = None,
    ) -> None:
        self.transforms: tuple[Transform, ...] = ()
        self._lengths, self._starts, self._asked, self._batch = lengths, starts, asked, batch
        rows = self._kept(kept, keep_empty=keep_empty)
        count = len(lengths) if rows is None else len(rows)
        turned: np.ndarray | Coins | None = None
        self._batches: Listed | Pools
        if seed is None:
            self._batches = Listed.by_length(lengths, rows, batch)
        elif count > _MANY or blocks is not None:
            order = drawn(count, blocks, seed, epoch)
            self._batches = Pools(lengths, rows, batch, seed, epoch, tokens=tokens, order=order)
            turned = Coins(seed, epoch, _STRANDS)
        else:
            random = _generator(seed, epoch)
            self._batches = Listed.shuffled(lengths, rows, batch, random, tokens)
            turned = random.random(len(lengths)) < 0.5 if strands is not None else None
        if strands is not None and turned is not None:
            self.transforms = (strands.turning(turned),)

    def _kept(self, kept: np.ndarray | None, *, keep_empty: bool) -> np.ndarray | None:
        """The rows to read; ``None``: all of them, as in most data, which need not be listed."""
        if kept is not None:
            return None if kept.all() else np.flatnonzero(kept)
        if keep_empty or all(self._asks(rows).all() for rows in in_parts(len(self._lengths))):
            return None
        return np.concatenate([rows[self._asks(rows)] for rows in in_parts(len(self._lengths))])

    def _asks(self, rows: np.ndarray) -> np.ndarray:
        return self._lengths[rows] > (0 if self._asked is None else self._asked[rows])

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Segments:
        rows = self._batches[index]
        starts = np.zeros_like(rows) if self._starts is None else self._starts[rows]
        scored = (np.zeros_like(rows) if self._asked is None else self._asked[rows]) - starts
        return Segments(rows, starts, self._lengths[rows], scored, np.ones(len(rows), bool))


class Pieces:
    """Pieces of rows with similar lengths, each its own sequence, of which ``masking`` hides a share.

    Args:
        lengths: (N,) int64 steps of each row; one of length 0 is left out.
        steps: the most steps in a piece, ≥ 1; a longer row is cut into equal pieces.
        masking: hides a share of each batch.
        batch, seed, epoch, tokens: as in `Rows`.
    """

    carries = False

    def __init__(
        self,
        lengths: np.ndarray,
        steps: int,
        masking: Transform,
        batch: int,
        seed: int | None = None,
        epoch: int = 0,
        tokens: int | None = None,
        blocks: int | None = None,
    ) -> None:
        self._pieces, self.transforms = Pieced(lengths, steps), (masking,)
        self._plan = Rows(_PieceLengths(self._pieces), batch, seed, epoch, tokens=tokens, blocks=blocks)

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Segments:
        part = self._plan[index]
        rows, starts, stops = self._pieces[part.rows]
        return replace(part, rows=rows, starts=starts, stops=stops)


class _PieceLengths:
    """The steps of pieces, computed where they are looked up."""

    def __init__(self, pieces: Pieced) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return len(self._pieces)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        _, starts, stops = self._pieces[places]
        return stops - starts


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
        self._set(_GivenEnds(rows, ends), lookback, batch, seed, epoch)

    @classmethod
    def every(
        cls,
        ends: Ends,
        lookback: int,
        batch: int,
        seed: int | None = None,
        epoch: int = 0,
        blocks: int | None = None,
    ) -> Windows:
        """All windows with these ``ends``, which need not be listed; ``blocks`` as for `Rows`."""
        plan = cls.__new__(cls)
        plan._set(ends, lookback, batch, seed, epoch, blocks)
        return plan

    def _set(
        self, ends: Ends, lookback: int, batch: int, seed: int | None, epoch: int, blocks: int | None = None
    ) -> None:
        self._ends, self._lookback, self._batch = ends, lookback, batch
        self._order: Order | None = None
        if seed is not None and (len(ends) > _MANY or blocks is not None):
            self._order = drawn(len(ends), blocks, seed, epoch)
        elif seed is not None:
            self._order = _generator(seed, epoch).permutation(len(ends))

    def __len__(self) -> int:
        return -(-len(self._ends) // self._batch)

    def __getitem__(self, index: int) -> Segments:
        places = np.arange(index * self._batch, min((index + 1) * self._batch, len(self._ends)))
        rows, stops = self._ends[places if self._order is None else self._order[places]]
        zeros = np.zeros(len(rows), np.int64)
        return Segments(rows, np.maximum(stops - self._lookback, 0), stops, zeros, np.ones(len(rows), bool))


class _GivenEnds:
    """Windows that are listed."""

    def __init__(self, rows: np.ndarray, ends: np.ndarray) -> None:
        self._rows, self._ends = rows, ends

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._rows[places], self._ends[places]
