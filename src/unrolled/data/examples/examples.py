"""Examples: one split, encoded, with the form of the question. Loaders, baselines and metrics all read this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encodings.base import Encoded
from unrolled.data.forms.base import TargetForm
from unrolled.data.plans.strands import Strands

__all__ = ["Examples", "Units"]


@dataclass(frozen=True, slots=True)
class Units:
    """How the scaled numbers of a target relate to the user's, channel by channel.

    Attributes:
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units.
        naive: (C,) float64, what repeating the last season misses by in training, the mean absolute error in scaled
            units; NaN where it misses nothing, or nothing was long enough to tell. ``None`` where it is not measured.
    """

    mean: np.ndarray
    std: np.ndarray
    naive: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Examples:
    """Encoded inputs and the target of one split.

    Attributes:
        inputs: column name -> its numbers; all columns with a time axis have the same offsets, but of those that are
            known ahead each row is ``horizon`` steps shorter (see `unrolled.data.examples.known_future`).
        specs: column name -> how it looks to a model.
        target: what is asked for; where it is one of the inputs, it has their offsets.
        target_spec: its `Spec`.
        form: how the target answers the inputs.
        first: (rows,) int64 or ``None``; no target lies before step ``first[r]`` (a split by time).
        labels: of a target that holds labels, the label behind each id.
        strands: where a row stands for both strands: training reads one or the other, and an answer is the mean of
            both.
        keys: column name -> the key of each of its ids or channels, -1 where it is none (see `Pitches`).
        own: where the target is one of the inputs, its name.
        first_item: where the next item of a list is asked for, the id of the first item; smaller ids are special.
        by_window: True where each window of a forecast is scaled by its own mean and deviation.
        units: of targets that are numbers; ``None`` where they are in the user's own units.
        text_unit: what one id of a text is; the name of bits says it.
    """

    inputs: dict[str, Encoded]
    specs: dict[str, Spec]
    target: Encoded | None
    target_spec: Spec | None
    form: TargetForm
    first: np.ndarray | None = None
    labels: tuple[str | bool | int | float, ...] = ()
    strands: Strands | None = None
    keys: dict[str, np.ndarray] = field(default_factory=dict)
    own: str | None = None
    first_item: int | None = None
    by_window: bool = False
    units: Units | None = None
    text_unit: Literal["character", "token"] = "token"

    @property
    def horizon(self) -> int:
        """H, the steps ahead that a forecast asks for; else 0."""
        return self.form.horizon

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
