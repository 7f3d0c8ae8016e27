"""A set of labels for a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.forms._division import by_row
from unrolled.data.forms._rows import RowPlans
from unrolled.data.forms.form import Division, Plans
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.sequences import Sequences

__all__ = ["Set"]


@dataclass(frozen=True, slots=True)
class Set:
    """The set of labels in its cell answers row r; in a batch it is a multi-hot vector."""

    name: ClassVar[str] = "set"
    continues: ClassVar[bool] = False
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = ""
    plans: ClassVar[Plans] = RowPlans()

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        return target.sets()

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        rows, offsets = segments.rows, target.offsets
        assert isinstance(spec, Discrete) and offsets is not None
        counts = offsets[rows + 1] - offsets[rows]
        at = np.repeat(offsets[rows] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        hot = np.zeros((len(rows), spec.size), np.float32)
        hot[np.repeat(np.arange(len(rows)), counts), target.values[at]] = 1
        return hot

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return by_row(sequences, share, seed, target)


MEMBER = Set
