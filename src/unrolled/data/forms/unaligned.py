"""A sequence in the order of the inputs but not aligned to their steps, such as the transcript of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.forms._division import by_row
from unrolled.data.forms._rows import RowPlans
from unrolled.data.forms._written import gather_written
from unrolled.data.forms.form import Division, Plans
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.agreement import check_unaligned
from unrolled.data.tables.sequences import Sequences

__all__ = ["Unaligned"]


@dataclass(frozen=True, slots=True)
class Unaligned:
    """A sequence with its own length answers row r; its steps belong to steps of the inputs in the same order.

    Attributes:
        repeat: how often each step of the inputs is read, so that an answer may be longer than its row.
    """

    name: ClassVar[str] = "unaligned"
    continues: ClassVar[bool] = False
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    own_length: ClassVar[bool] = True
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = ""
    plans: ClassVar[Plans] = RowPlans()

    repeat: int = 1

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        check_unaligned(target, steps, where)
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        return gather_written(target, segments, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return by_row(sequences, share, seed, target)


MEMBER = Unaligned
