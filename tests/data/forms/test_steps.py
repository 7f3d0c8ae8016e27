from __future__ import annotations

import tracemalloc

import numpy as np

from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.form import BatchSettings
from unrolled.data.forms.next import Next


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
