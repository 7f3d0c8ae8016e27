"""One value for each step of a row, such as a tag for each word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import MISSING, Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.forms._division import rows_or_end
from unrolled.data.forms._steps import StepPlans, steps_from
from unrolled.data.forms.form import Division, Plans
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.sequences import Sequences

__all__ = ["Aligned"]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Step t of the target answers step t of the inputs.

    Example:
        >>> tags = Encoded(np.array([1, 2, MISSING, 1]), np.array([0, 3, 4]))
        >>> Aligned().asked(tags, None, discrete=True)
        array([0, 1, 3])
    """

    name: ClassVar[str] = "aligned"
    continues: ClassVar[bool] = False
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = ""
    plans: ClassVar[Plans] = StepPlans(later=0)

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        steps = np.arange(real.shape[1])
        return gather_target(target, segments, steps, real, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return rows_or_end(sequences, share, seed, target)

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        asked = steps_from(target, first)
        return np.flatnonzero(asked & (target.values != MISSING) if discrete else asked)


MEMBER = Aligned
