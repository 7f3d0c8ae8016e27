"""Which sequences are held out, as a pure function of their keys: none changes sides when rows or sequences are added.

Axes: N sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrolled.data.io.hashed import hashed
from unrolled.data.tables.forecast_split import most_held, steps_held, unknown_at_the_end
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import split_lists

__all__ = ["Ends", "drawn"]


def drawn(seed: int, use: int, keys: np.ndarray) -> np.ndarray:
    """(N,) float64 in [0, 1), evenly spread.

    Args:
        seed: which choice.
        use: a sequence is drawn for one use whatever it is drawn for in another.
        keys: (N,) uint64, from `unrolled.data.tables.keys.key_hashes`.
    """
    found: np.ndarray = hashed(np.array([seed]), np.array([use]), keys) * 2.0**-64
    return found


@dataclass(frozen=True, slots=True)
class Ends:
    """Holds out the end of each series for forecasts, or of some where these are very many.

    Attributes:
        share: of the steps of each series.
        horizon: how many steps are predicted at once.
        targets: the columns that are predicted.
        some: the share of the series that are held out; 0: none is long enough.
    """

    share: float
    horizon: int
    targets: tuple[str, ...]
    some: float

    @classmethod
    def of(cls, lengths: dict[int, int], share: float, horizon: int, targets: tuple[str, ...]) -> Ends:
        """Those of series with so many known steps each: length -> how many series have it."""
        known, counts = np.array([*lengths], np.int64), np.array([*lengths.values()], np.int64)
        total = int((steps_held(known, share, horizon) * counts).sum())
        most = most_held(int((known * counts).sum()), share)
        return cls(share, horizon, targets, min(1.0, most / total) if total else 0.0)

    def apply(self, part: Sequences, lengths: np.ndarray, draws: np.ndarray) -> tuple[Sequences, Sequences | None]:
        """(train, rest): as `unrolled.data.tables.forecast_split.hold_out_forecasts`, without the series not in rest.

        Args:
            part: the series.
            lengths: (N,) int64 their steps.
            draws: (N,) numbers in [0, 1) that choose where not all series are held out.
        """
        unknown = np.minimum(unknown_at_the_end(part, self.targets), lengths)
        share = steps_held(lengths - unknown, self.share, self.horizon)
        held = np.where((share > 0) & (draws < self.some), share + unknown, 0)
        if not held.any():
            return part, None
        left, rest = split_lists(part, lambda _: held, "enough steps", self.targets)
        return left, rest.take(np.flatnonzero(held))
