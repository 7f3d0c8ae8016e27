"""Accuracy and F1 of labels and of sets of labels, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from unrolled.metrics.judged import ChosenLabels, ChosenSets, ChosenTokens
from unrolled.metrics.scoring import scores


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_of_one_label_each(classes: int) -> None:
    random = np.random.default_rng(classes)
    right, chosen = random.integers(0, classes, 200), random.integers(0, classes + 1, 200)
    found = scores([(ChosenLabels(torch.tensor(chosen), torch.tensor(right), classes + 1),)])
    assert found == {
        "accuracy": pytest.approx(accuracy_score(right, chosen)),
        "macro_f1": pytest.approx(f1_score(right, chosen, average="macro", zero_division=0)),
    }
    assert scores([(ChosenTokens(torch.tensor(chosen), torch.tensor(right)),)]) == {"accuracy": found["accuracy"]}


def test_of_several_labels_each() -> None:
    random = np.random.default_rng(0)
    right, chosen = random.random((100, 7)) < 0.3, random.random((100, 7)) < 0.4
    chosen[:20] = right[:20]
    right[:, 3] = chosen[:, 3] = False
    seen = [k for k in range(7) if k != 3]  # scikit-learn counts a label that nobody mentions as 0
    assert scores([(ChosenSets(torch.tensor(chosen), torch.tensor(right)),)]) == {
        "accuracy": pytest.approx(accuracy_score(right, chosen)),
        "macro_f1": pytest.approx(f1_score(right[:, seen], chosen[:, seen], average="macro", zero_division=0)),
        "micro_f1": pytest.approx(f1_score(right, chosen, average="micro", zero_division=0)),
    }


def test_a_label_that_never_occurs_does_not_count() -> None:
    labels = torch.tensor([0, 1])
    assert scores([(ChosenLabels(labels, labels, 5),)])["macro_f1"] == 1.0


def test_sets_without_any_label_have_an_f1_of_zero() -> None:
    nothing = torch.zeros(3, 2, dtype=torch.bool)
    assert scores([(ChosenSets(nothing, nothing),)]) == {"accuracy": 1.0, "macro_f1": 0.0, "micro_f1": 0.0}
