from __future__ import annotations

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.forms._steps import StepPlans, steps_from

VALUES = Encoded(np.arange(6), np.array([0, 3, 3, 4, 6]))


def test_a_split_asks_for_what_it_owns() -> None:
    assert steps_from(VALUES, None).all()
    assert np.flatnonzero(steps_from(VALUES, None, least=1)).tolist() == [1, 2, 5]
    assert np.flatnonzero(steps_from(VALUES, np.array([2, 0, 0, 1]))).tolist() == [2, 3, 5]
    assert np.flatnonzero(steps_from(VALUES, np.array([2, 0, 0, 0]), least=1)).tolist() == [2, 5]


def test_a_step_that_asks_for_a_later_one_is_not_the_last() -> None:
    steps = np.array([0, 1, 5])
    assert StepPlans(0).questions(steps).tolist() == [0, 1, 5]
    assert StepPlans(1).questions(steps).tolist() == [0, 0, 4]
