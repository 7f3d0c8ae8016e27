"""One value for a row: a label or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import MISSING, Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.forms._division import by_row
from unrolled.data.forms._rows import RowPlans
from unrolled.data.forms.form import Division, Plans
from unrolled.data.plans.gather import gather_rows
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.sequences import Sequences

__all__ = ["One"]


@dataclass(frozen=True, slots=True)
class One:
    """``target[r]`` answers row r.

    Example:
        >>> One().asked(Encoded(np.array([3, MISSING, 4]), None), None, discrete=True)
        array([0, 2])
    """

    name: ClassVar[str] = "one"
    continues: ClassVar[bool] = False
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = ""
    plans: ClassVar[Plans] = RowPlans()

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        return gather_rows(target, segments.rows, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return by_row(sequences, share, seed, target)

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        values = target.values
        return np.flatnonzero(values != MISSING if discrete else ~np.isnan(values[:, 0]))


MEMBER = One
