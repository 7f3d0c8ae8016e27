"""Shares of a plan: which rows of each batch one of several processes, or one of several micro-batches, computes.

Axes: B rows of a batch.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from unrolled.data.batches.loader import Loader
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.windows import Plan

__all__ = ["FirstRow", "Share", "stand_in"]


class Share:
    """The rows of each batch of ``plan`` that are the share number ``part`` of ``parts``.

    All shares together are the batch, each row once. Lanes are cut into blocks, so that a lane stays in its share for
    the whole epoch. Other rows are dealt out in turn: a batch holds them in the order of their length, so each share
    gets short and long ones.

    Args:
        plan: the batches that are shared.
        part: in 0 … ``parts`` - 1.
        parts: ≥ 1; a share is empty where a batch has fewer rows.

    Example:
        >>> from unrolled.data.plans.windows import Rows
        >>> plan = Rows(np.array([3, 1, 2, 5, 4]), batch=5)
        >>> [Share(plan, part, 2)[0].rows.tolist() for part in range(2)]
        [[1, 0, 3], [2, 4]]
    """

    def __init__(self, plan: Plan, part: int, parts: int) -> None:
        self.carries, self.transforms = plan.carries, plan.transforms
        self._plan, self._part, self._parts = plan, part, parts

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Segments:
        whole = self._plan[index]
        return _only(whole, self.rows(len(whole.rows)))

    def first(self) -> FirstRow:
        """The first row of each batch, whoever's it is."""
        return FirstRow(self._plan)

    def rows(self, count: int) -> np.ndarray:
        """Which of the ``count`` rows of a batch are in this share."""
        if self.carries:
            return np.array_split(np.arange(count), self._parts)[self._part]
        return np.arange(self._part, count, self._parts)


def stand_in(loader: Loader) -> Loader:
    """What a process computes for nobody where its share of ``loader`` is empty, if it must keep up with the others."""
    assert isinstance(loader.plan, Share)
    return Loader(loader.examples, loader.plan.first())


class FirstRow:
    """The first row of each batch of ``plan``."""

    def __init__(self, plan: Plan) -> None:
        self.carries, self.transforms, self._plan = plan.carries, plan.transforms, plan

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Segments:
        return _only(self._plan[index], np.arange(1))


def _only(batch: Segments, rows: np.ndarray) -> Segments:
    return replace(batch, **{field.name: getattr(batch, field.name)[rows] for field in fields(batch)})
