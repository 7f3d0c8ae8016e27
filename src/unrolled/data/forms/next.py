"""Predict the next step, for example of a text, a tune or a list of clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import MISSING, Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.encodings.facets import Numbers
from unrolled.data.forms._division import end_of_few
from unrolled.data.forms._steps import StepPlans, steps_from
from unrolled.data.forms.form import Division, Plans
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.segments import Segments
from unrolled.data.tables.agreement import check_binary
from unrolled.data.tables.sequences import Sequences

__all__ = ["Next"]


@dataclass(frozen=True, slots=True)
class Next:
    """Step t + 1 of the target, which is one of the inputs, answers step t: a row of n steps asks n - 1 questions.

    Example:
        >>> text = Encoded(np.array([5, 6, 7, 8]), np.array([0, 3, 4]))
        >>> Next().asked(text, None, discrete=True)
        array([1, 2])
    """

    name: ClassVar[str] = "next"
    continues: ClassVar[bool] = True
    predicts_next: ClassVar[bool] = True
    whole: ClassVar[bool] = False
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = "its own next step"
    plans: ClassVar[Plans] = StepPlans(later=1)

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        if isinstance(answer, Numbers) and answer.binary:
            check_binary(target, where)
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        steps = np.arange(1, real.shape[1] + 1)
        return gather_target(target, segments, steps, real, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return end_of_few(sequences, share, seed)

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        asked = steps_from(target, first, least=1)  # the first step of a row is never predicted
        return np.flatnonzero(asked & (target.values != MISSING) if discrete else asked)


MEMBER = Next
