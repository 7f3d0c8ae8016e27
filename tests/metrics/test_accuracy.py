from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from unrolled.metrics.judged import ChosenLabels, ChosenSets, ChosenTokens
from unrolled.metrics.scoring import scores


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_of_labels_and_tokens(classes: int) -> None:
    random = np.random.default_rng(classes)
    right, chosen = random.integers(0, classes, 200), random.integers(0, classes + 1, 200)
    parts = torch.tensor(chosen), torch.tensor(right)
    for judged in (ChosenLabels(*parts, classes + 1), ChosenTokens(*parts)):
        assert scores([(judged,)])["accuracy"] == pytest.approx(accuracy_score(right, chosen))


def test_a_set_is_right_if_every_label_is() -> None:
    random = np.random.default_rng(0)
    right, chosen = random.random((100, 3)) < 0.3, random.random((100, 3)) < 0.4
    found = scores([(ChosenSets(torch.tensor(chosen), torch.tensor(right)),)])["accuracy"]
    assert 0 < found == pytest.approx(accuracy_score(right, chosen))
