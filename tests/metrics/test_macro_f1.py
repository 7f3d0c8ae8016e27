from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from unrolled.metrics.judged import ChosenLabels, ChosenSets
from unrolled.metrics.scoring import scores


def score(judged: object) -> float:
    return scores([(judged,)])["macro_f1"]


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_of_one_label_each(classes: int) -> None:
    random = np.random.default_rng(classes)
    right, chosen = random.integers(0, classes, 200), random.integers(0, classes + 1, 200)
    found = score(ChosenLabels(torch.tensor(chosen), torch.tensor(right), classes + 1))
    assert found == pytest.approx(f1_score(right, chosen, average="macro", zero_division=0))


def test_of_several_labels_each() -> None:
    random = np.random.default_rng(0)
    right, chosen = random.random((100, 7)) < 0.3, random.random((100, 7)) < 0.4
    right[:, 3] = chosen[:, 3] = False
    seen = [k for k in range(7) if k != 3]  # scikit-learn counts a label that nobody mentions as 0
    wanted = f1_score(right[:, seen], chosen[:, seen], average="macro", zero_division=0)
    assert score(ChosenSets(torch.tensor(chosen), torch.tensor(right))) == pytest.approx(wanted)


def test_a_label_that_never_occurs_does_not_count() -> None:
    labels, nothing = torch.tensor([0, 1]), torch.zeros(3, 2, dtype=torch.bool)
    assert score(ChosenLabels(labels, labels, 5)) == 1.0
    assert score(ChosenSets(nothing, nothing)) == 0.0
