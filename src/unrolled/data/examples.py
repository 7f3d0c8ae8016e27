"""Examples: one split, encoded, with the form of the question. Loaders, baselines and metrics all read this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encoded import Encoded

__all__ = ["ANSWERED_WHOLE", "OWN", "WRITTEN", "Examples", "Form", "Units"]

Form = Literal["one", "set", "aligned", "next", "horizon", "fill", "free", "unaligned"]
OWN: frozenset[Form] = frozenset({"next", "horizon", "fill"})  # forms whose target is one of the inputs
WRITTEN: frozenset[Form] = frozenset({"free", "unaligned"})  # forms whose target is a sequence of its own
ANSWERED_WHOLE: frozenset[Form] = frozenset({"one", "set", "free", "unaligned"})  # forms that ask one question a row


@dataclass(frozen=True, slots=True)
class Units:
    """How the scaled numbers of a forecast's target relate to the user's, channel by channel.

    Attributes:
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units.
        naive: (C,) float64, what repeating the last season misses by in training, the mean absolute error in scaled
            units; NaN where it misses nothing, or nothing was long enough to tell.
    """

    mean: np.ndarray
    std: np.ndarray
    naive: np.ndarray


@dataclass(frozen=True, slots=True)
class Examples:
    """Encoded inputs and the target of one split.

    Attributes:
        inputs: column name -> its numbers; all columns with a time axis have the same offsets, but of those that are
            known ahead each row is ``horizon`` steps shorter (see `unrolled.data.ahead`).
        specs: column name -> how it looks to a model.
        target: what is asked for. For ``next``, ``horizon`` and ``fill`` it has the offsets of the inputs.
        target_spec: its `Spec`.
        form: ``one``: target[r] answers row r. ``set``: row r's target is the set of labels of its cell.
            ``aligned``: one target a step. ``next``: step t + 1 of ``target`` answers step t, so that a row of n steps
            asks n - 1 questions. ``horizon``: steps t + 1 … t + horizon of ``target`` answer the steps up to t.
            ``fill``: step t of ``target`` answers step t, which the inputs hide where it is asked.
            ``free``: row r's target is a sequence of its own, from ``<begin>`` to ``<end>``. ``unaligned``: one without
            them, whose steps belong to steps of the inputs in the same order.
        first: (rows,) int64 or ``None``; no target lies before step ``first[r]`` (a split by time).
        horizon: H, for ``horizon``; else 0.
        labels: for ``aligned``, the label behind each id of the target.
        complements: column name -> (V,) int64, the id that stands opposite each on the other strand; with any, a row
            stands for both strands: training reads one or the other, and an answer is the mean of both.
        keys: column name -> the key of each of its ids or channels, -1 where it is none (`data.transposition.keys_of`).
        own: of forms whose target is one of the inputs, its name.
        first_item: for ``next`` of lists, the id from which on ids are items, that can be ranked; else ``None``.
        by_window: True where each window of a forecast is scaled by its own mean and deviation.
        units: of a forecast, once it is known how well training repeats itself.
    """

    inputs: dict[str, Encoded]
    specs: dict[str, Spec]
    target: Encoded | None
    target_spec: Spec | None
    form: Form
    first: np.ndarray | None = None
    horizon: int = 0
    labels: tuple[str | bool | int | float, ...] = ()
    complements: dict[str, np.ndarray] = field(default_factory=dict)
    keys: dict[str, np.ndarray] = field(default_factory=dict)
    own: str | None = None
    first_item: int | None = None
    by_window: bool = False
    units: Units | None = None

    def steps(self) -> np.ndarray:
        """(rows,) int64: the steps of each row; 1 where no column has a time axis."""
        columns = list(self.inputs.values())
        timed = [column for column in columns if column.offsets is not None]
        return (timed or columns)[0].lengths()

    def window_ends(self, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """(row, stop) of every window of a forecast: steps before ``stop`` are known, ``stop … stop + H`` are asked.

        Windows never cross rows, and their targets never lie before ``first`` or beyond the row's end.
        """
        rows, stops = [], []
        for row, steps in enumerate(self.steps()):
            start = max(1, 0 if self.first is None else int(self.first[row]))
            ends = np.arange(start, steps - self.horizon + 1, stride, dtype=np.int64)
            rows.append(np.full(len(ends), row, np.int64))
            stops.append(ends)
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(rows), np.concatenate(stops)
