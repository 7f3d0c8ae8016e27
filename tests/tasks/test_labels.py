from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from unrolled.tasks.labels import confusion, macro_f1, micro_f1


@pytest.mark.parametrize("seed", range(5))
def test_f1_is_that_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    target, predicted = random.integers(0, 4, 60), random.integers(0, 4, 60)
    sums = confusion(torch.from_numpy(predicted), torch.from_numpy(target), 4)
    assert macro_f1(sums) == pytest.approx(f1_score(target, predicted, average="macro"))
    assert micro_f1(sums) == pytest.approx(f1_score(target, predicted, average="micro"))


def test_a_class_that_never_occurs_does_not_count() -> None:
    sums = confusion(torch.tensor([0, 1]), torch.tensor([0, 1]), 5)
    assert macro_f1(sums) == 1.0
    nothing = confusion(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 3)
    assert (macro_f1(nothing), micro_f1(nothing)) == (0.0, 0.0)
