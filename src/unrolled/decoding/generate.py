"""Autoregressive generation: draw a step, feed it back. Axes: B rows, O outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from unrolled.decoding.sampling import Sampling
from unrolled.errors import ModelError
from unrolled.models.model import LiveModel
from unrolled.models.slots import LivePool
from unrolled.state import State

__all__ = ["Draw", "Row", "Rows", "advance"]

Draw = Callable[[Tensor, Sequence[Sampling], Sequence[torch.Generator]], Tensor]


class Row:
    """A row that is being generated.

    Args:
        scores: (1, O), those of its first step.
        settings: how its steps are drawn; the generator starts from their seed.

    Attributes:
        scores: those of the step that was drawn last, or of the first one.
        chosen: the last step as the model reads it, with a batch of one; ``None`` before the first.
    """

    __slots__ = ("chosen", "generator", "scores", "settings", "slot")

    def __init__(self, scores: Tensor, settings: Sampling) -> None:
        self.scores, self.settings, self.generator = scores, settings, settings.generator()
        self.chosen: Tensor | None = None
        self.slot = -1


def advance(row: Row, live: LiveModel, column: str, draw: Draw) -> None:
    r"""Draw the next step of a row that a live model has read so far.

    .. math:: y_t \sim \text{draw}(\text{scores}_t), \qquad \text{scores}_{t+1}, s_{t+1} = f(y_t, s_t)

    The model reads a step only when the next one is asked for.

    Args:
        row: the row; its ``chosen`` is new afterwards.
        live: the model's session, which has read all steps but ``chosen``.
        column: the model's input.
        draw: (scores, settings and generators of the rows) -> the steps as the model reads them.

    Raises:
        ModelError: the scores are broken.

    Cost: one step of the model, and one ``draw``.
    """
    if row.chosen is not None:
        row.scores = live.push({column: row.chosen})
    row.chosen = draw(row.scores, [row.settings], [row.generator])


class Rows:
    """Many rows of one model that are generated together; each is what `advance` makes of it.

    A row draws from its own generator, so that it does not depend on the others.

    Args:
        pool: the model's live rows.
        column, draw: as for `advance`.

    Cost: for each call of `advance` one step of the model with a batch of all rows, and one ``draw``.
    """

    def __init__(self, pool: LivePool, column: str, draw: Draw) -> None:
        self._pool, self._column, self._draw = pool, column, draw
        self._first = pool.read(np.zeros(1, np.int64))
        self._free, self._size = [0], 1

    def open(self, row: Row, state: State) -> None:
        """Let a row begin, with the ``state`` after what it continues."""
        if not self._free:
            self._free += range(self._size, 2 * self._size)
            self._size *= 2
            self._pool.grow(self._size)
        row.slot = self._free.pop()
        self._pool.write(np.array([row.slot]), state)

    def close(self, row: Row) -> None:
        """Let a row end; nothing of it is left."""
        self._pool.write(np.array([row.slot]), self._first)
        self._free.append(row.slot)
        row.slot = -1

    def advance(self, rows: Sequence[Row]) -> list[ModelError | None]:
        """Draw the next step of each row: what is wrong with a row, which stays as it was, or ``None``."""
        read = [(row, row.chosen) for row in rows if row.chosen is not None]
        if read:
            slots = np.array([row.slot for row, _ in read])
            steps = {self._column: torch.cat([chosen for _, chosen in read])}
            scores = self._pool.run(slots, steps, [np.arange(len(read))])
            for (row, _), own in zip(read, _each(scores), strict=True):
                row.scores, row.chosen = own, None
        if len(read) < len(rows):
            scores = torch.cat([row.scores for row in rows])
        try:
            drawn = self._draw(scores, [row.settings for row in rows], [row.generator for row in rows])
        except ModelError:
            return [self._alone(row) for row in rows]
        for row, chosen in zip(rows, _each(drawn), strict=True):
            row.chosen = chosen
        return [None] * len(rows)

    def _alone(self, row: Row) -> ModelError | None:
        try:
            row.chosen = self._draw(row.scores, [row.settings], [row.generator])
        except ModelError as error:
            return error
        return None


def _each(rows: Tensor) -> Sequence[Tensor]:
    """Each of the rows, with a batch of one."""
    return rows.unsqueeze(1).unbind(0)
