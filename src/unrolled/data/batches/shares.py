"""Shares of a plan: which rows of each batch one of several processes, or one of several micro-batches, computes.

Axes: B rows of a batch.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from unrolled.data.plans.segments import Segments
from unrolled.data.plans.windows import Plan

__all__ = ["Share"]


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
        own = self.rows(len(whole.rows))
        return replace(whole, **{field.name: getattr(whole, field.name)[own] for field in fields(whole)})

    def rows(self, count: int) -> np.ndarray:
        """Which of the ``count`` rows of a batch are in this share."""
        if self.carries:
            return np.array_split(np.arange(count), self._parts)[self._part]
        return np.arange(self._part, count, self._parts)
