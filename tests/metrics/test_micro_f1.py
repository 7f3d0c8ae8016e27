from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from unrolled.metrics.judged import ChosenSets
from unrolled.metrics.scoring import scores


def test_of_several_labels_each() -> None:
    random = np.random.default_rng(0)
    right, chosen = random.random((100, 7)) < 0.3, random.random((100, 7)) < 0.4
    found = scores([(ChosenSets(torch.tensor(chosen), torch.tensor(right)),)])
    assert found["micro_f1"] == pytest.approx(f1_score(right, chosen, average="micro", zero_division=0))


def test_where_no_label_is_chosen_or_right_it_is_zero() -> None:
    nothing = torch.zeros(3, 2, dtype=torch.bool)
    assert scores([(ChosenSets(nothing, nothing),)])["micro_f1"] == 0.0
