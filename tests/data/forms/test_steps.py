from __future__ import annotations

import tracemalloc

import numpy as np

from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms._steps import StepPlans, steps_from
from unrolled.data.forms.form import BatchSettings
from unrolled.data.forms.next import Next

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


def test_the_plan_of_very_many_sequences_takes_little_memory() -> None:
    steps = np.resize([3, 5, 2, 9], 1_200_000)
    offsets = np.concatenate([[0], np.cumsum(steps)])
    items = Encoded(np.broadcast_to(np.uint16(3), offsets[-1]), offsets)
    split = Examples({"page": items}, {"page": Discrete(50)}, items, Discrete(50), Next(), own="page")
    tracemalloc.start()
    try:
        plan = split.form.plans.training(split, BatchSettings(32, 0, None, 64, 0.0), 0)
        batch = plan[len(plan) // 2]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8e6
    assert (batch.stops == steps[batch.rows] - 1).all()
