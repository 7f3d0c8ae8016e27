"""Tables of errors against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.metrics._tally import Tally, auroc, average_precision


@pytest.mark.parametrize("seed", range(20))
def test_two_classes_equal_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    truths = random.random(200) < 0.2
    scores = np.round(random.random(200) + 0.3 * truths, int(random.integers(1, 6)))  # with ties
    assert auroc(scores, truths) == pytest.approx(sklearn.roc_auc_score(truths, scores), abs=1e-12)
    assert average_precision(scores, truths) == pytest.approx(
        sklearn.average_precision_score(truths, scores), abs=1e-12
    )


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_the_table_of_errors_equals_scikit_learn(classes: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(classes)
    right, tally = random.integers(0, classes - (classes > 2), 500), Tally(classes)  # the last label may be absent
    chances = torch.from_numpy(random.dirichlet(np.ones(classes), 500))
    chosen = chances.argmax(1)
    for part in (slice(0, 100), slice(100, 100), slice(100, 500)):
        tally.add(chosen[part], torch.from_numpy(right)[part], chances[part])
    labels = list(range(classes))
    errors = sklearn.confusion_matrix(right, chosen, labels=labels)
    assert np.array_equal(tally.errors, errors)
    wanted = sklearn.precision_recall_fscore_support(right, chosen, labels=labels, zero_division=0)
    for found, expected in zip((tally.precision(), tally.recall(), tally.f1(), tally.support), wanted, strict=True):
        assert found == pytest.approx(expected)
    shown, table = tally.table(10)
    assert len(shown) == min(classes, 10) and table.sum() == 500
    assert np.array_equal(table[: len(shown), : len(shown)], errors[np.ix_(shown, shown)])


def test_confidence_beside_accuracy() -> None:
    """Of ten answers at 0.9 six are right, of ten at 0.6 six too: the error is (0.3 + 0) / 2."""
    tally, right = Tally(2), torch.tensor([0] * 6 + [1] * 4)
    for sure in (0.9, 0.6):
        tally.add(torch.zeros(10).long(), right, torch.tensor([[sure, 1 - sure]]).expand(10, 2))
    assert [(found.answers, round(found.confidence, 3), found.accuracy) for found in tally.calibration()] == [
        (10, 0.6, 0.6),
        (10, 0.9, 0.6),
    ]
    assert tally.calibration_error() == pytest.approx(0.15)
    assert tally.overconfidence() == pytest.approx(0.15)


def test_without_probabilities_there_is_no_calibration() -> None:
    tally = Tally(2)
    tally.add(torch.tensor([0, 1]), torch.tensor([0, 0]), None)
    assert (tally.calibration(), tally.calibration_error(), tally.two_classes()) == ([], None, {})


def test_where_one_class_is_absent_there_is_no_area() -> None:
    tally = Tally(2)
    tally.add(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([[0.7, 0.3], [0.4, 0.6]]))
    assert tally.two_classes() == {}


def test_of_very_many_labels_only_counts_are_kept() -> None:
    tally = Tally(3_000)
    tally.add(torch.tensor([2_999, 5]), torch.tensor([2_999, 2_999]), None)
    assert tally.table() is None
    assert (tally.recall()[2_999], tally.precision()[2_999], tally.predicted[5]) == (0.5, 1.0, 1)
