"""Replay: in each epoch, some old rows beside the new ones, so that what was learned from them is not forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.data.plans.order import Permuted

__all__ = ["Replay", "learned_rows"]

_ROUNDS = 1 << 33  # a key that no epoch has: the order of the old rows is not that of an epoch


@dataclass(frozen=True, slots=True)
class Replay:
    """The rows of each epoch: all new ones, and as many old ones as make ``share`` of them.

    The old rows come in a random order that goes on from one epoch to the next, so that each is seen before any comes
    again. It depends on the seed and the epoch only.

    Args:
        new: how many rows of the training split are new; they are the first ones.
        share: of the old rows, from 0 to below 1. A batch is drawn from all rows of its epoch, so it has this share on
            average.
        seed: of the order.

    Example:
        >>> Replay(new=4, share=0.5, seed=0).rows(10, epoch=0)[:4].tolist(), len(Replay(4, 0.5, 0).rows(10, 0))
        ([0, 1, 2, 3], 8)
    """

    new: int
    share: float
    seed: int

    def rows(self, count: int, epoch: int) -> np.ndarray:
        """(P,) int64, the rows of an epoch, of a training split with ``count`` rows."""
        old = count - self.new
        drawn = round(self.new * self.share / (1 - self.share)) if old else 0
        places = np.arange(epoch * drawn, (epoch + 1) * drawn)
        rounds = places // old if old else places
        found = [
            Permuted(old, self.seed, _ROUNDS + nth)[places[rounds == nth] % old] for nth in np.unique(rounds).tolist()
        ]
        return np.concatenate([np.arange(self.new), *(self.new + np.sort(rows) for rows in found)])

    def of(self, train: Examples, epoch: int) -> Examples:
        """The rows of an epoch, in place of all rows of ``train``."""
        return take_rows(train, self.rows(len(train.steps()), epoch))


def learned_rows(train: Examples, whole: Examples | None, replay: Replay | None, epoch: int) -> Examples:
    """What an epoch learns from: ``whole``, if given, else ``train``, or those of its rows that ``replay`` gives."""
    if whole is not None:
        return whole
    return train if replay is None else replay.of(train, epoch)
