"""Examples: one encoded split with its target. Loaders, baselines and metrics all read this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unrolled.batch import Spec
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.forms.form import TargetForm
from unrolled.data.plans.counted import Spans, WindowEnds
from unrolled.data.plans.order import Lengths
from unrolled.data.plans.strands import Strands

__all__ = ["Examples", "Units"]


@dataclass(frozen=True, slots=True)
class Units:
    """How the scaled numbers of a target relate to the user's, channel by channel.

    Attributes:
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units.
    """

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True, slots=True)
class Examples:
    """Encoded inputs and the target of one split.

    Attributes:
        inputs: column name -> its numbers, and `letters_of` a column -> the letters of its words. All columns with a
            time axis have the same offsets, except that the rows of known covariates are ``horizon`` steps shorter (see
            `unrolled.data.examples.known_future`), and that each side sequence has its own.
        specs: column name -> its `Spec`.
        target: the values to predict; where the target is one of the inputs, it has their offsets.
        target_spec: its `Spec`.
        form: how the target answers the inputs.
        first: (rows,) int64 or ``None``; no target lies before step ``first[r]`` (a split by time).
        labels: for a target of labels, the label of each id.
        strands: set where a row stands for both strands: training reads one or the other, and a prediction is the
            mean over both.
        keys: column name -> the piano key of each of its ids or channels, -1 for those without one (see `Pitches`).
        own: the target's name where it is one of the inputs.
        first_item: the id of the first item, when the task predicts the next item of a list; smaller ids are special
            tokens.
        by_window: True where each window of a forecast is scaled by its own mean and deviation.
        units: the scale of a numeric target; ``None`` where the target is already in the user's units.
        naive: (rows, C) float64, the mean absolute error, in scaled units, of repeating the last season in the past of
            each row (see `unrolled.data.examples.season_error`); ``None`` where it is not measured.
        text_unit: what one id of a text is, as in the metric ``bits_per_character``.
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
    naive: np.ndarray | None = None
    text_unit: Literal["character", "token"] = "token"

    @property
    def horizon(self) -> int:
        """H, the forecast horizon in steps; 0 for other tasks."""
        return self.form.horizon

    def steps(self) -> np.ndarray:
        """(rows,) int64: the steps of each row, in its main sequence; 1 where no column has a time axis."""
        return self._main().lengths()

    def lengths(self) -> Lengths:
        """`steps`, to be looked up: they take no memory."""
        column = self._main()
        one = np.broadcast_to(np.int64(1), len(column.values))
        return one if column.offsets is None else Spans(column.offsets)

    @property
    def nbytes(self) -> int:
        """The bytes of its columns and the target, mapped or not."""
        target = [] if self.target is None or self.own is not None else [self.target]
        return sum(column.values.nbytes for column in (*self.inputs.values(), *target))

    def _main(self) -> Encoded:
        columns = [column for name, column in self.inputs.items() if self.specs[name].side is None]
        timed = [column for column in columns if column.offsets is not None]
        return (timed or columns)[0]

    def holds(self) -> np.ndarray | None:
        """(rows,) bool: whether a row has any step, in its main sequence or beside it; ``None``: the main one tells."""
        beside = [column.lengths() for name, column in self.inputs.items() if self.specs[name].side is not None]
        return np.any([self.steps(), *beside], axis=0) if beside else None

    def windows(self, stride: int = 1) -> WindowEnds:
        """(row, stop) of every forecast window: steps before ``stop`` are known, ``stop … stop + H`` are predicted.

        Windows never cross rows, and their targets never lie before ``first`` or beyond the row's end.
        """
        steps = self.steps()
        starts = np.ones_like(steps) if self.first is None else np.maximum(self.first, 1)
        return WindowEnds(starts, steps - self.horizon + 1, stride)

    def window_ends(self, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The `windows` as a list: (row, stop) of each."""
        windows = self.windows(stride)
        return windows[np.arange(len(windows))]
