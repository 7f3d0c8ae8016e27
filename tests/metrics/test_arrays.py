"""Every metric against scikit-learn where it has it, else against numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from unrolled.batch import MISSING
from unrolled.errors import ShapeError
from unrolled.metrics import _arrays as metrics

RNG = np.random.default_rng(0)


def oracle() -> Any:
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle of this test")


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_classes_against_scikit_learn(classes: int) -> None:
    sk = oracle()
    target, prediction = RNG.integers(0, classes, 200), RNG.integers(0, classes + 1, 200)
    assert metrics.accuracy(prediction, target) == pytest.approx(sk.accuracy_score(target, prediction))
    assert metrics.macro_f1(prediction, target) == pytest.approx(
        sk.f1_score(target, prediction, average="macro", zero_division=0)
    )


def test_missing_labels_are_left_out() -> None:
    target = np.array([[0, 1, MISSING], [MISSING, 1, 0]])
    prediction = np.array([[0, 0, 7], [8, 1, 0]])
    assert metrics.accuracy(prediction, target) == 0.75
    assert metrics.macro_f1(prediction, target) == pytest.approx((0.8 + 2 / 3) / 2)


def test_sets_against_scikit_learn() -> None:
    sk = oracle()
    target, prediction = RNG.random((100, 7)) < 0.3, RNG.random((100, 7)) < 0.4
    target[:, 3] = prediction[:, 3] = False
    micro = sk.f1_score(target, prediction, average="micro", zero_division=0)
    seen = [k for k in range(7) if k != 3]  # scikit-learn counts a label that nobody mentions as 0
    macro = sk.f1_score(target[:, seen], prediction[:, seen], average="macro", zero_division=0)
    assert metrics.set_micro_f1(prediction, target) == pytest.approx(micro)
    assert metrics.set_macro_f1(prediction, target) == pytest.approx(macro)
    nothing = np.zeros((3, 2), bool)
    assert metrics.set_micro_f1(nothing, nothing) == metrics.set_macro_f1(nothing, nothing) == 0


def test_binary_cross_entropy_against_scikit_learn() -> None:
    sk = oracle()
    target, p = (RNG.random((50, 4)) < 0.5).astype(np.float32), RNG.uniform(0.05, 0.95, (50, 4))
    wanted = sum(sk.log_loss(target[:, k], p[:, k], labels=[0, 1]) for k in range(4))
    assert metrics.nll_nats_per_step(p, target) == pytest.approx(wanted)


def test_binary_cross_entropy_leaves_nan_out() -> None:
    target = np.array([[1, np.nan], [np.nan, np.nan], [0, 0]], np.float32)
    wanted = (math.log(4) - 2 * math.log(0.75)) / 2
    assert metrics.nll_nats_per_step(np.full((3, 2), 0.25), target) == pytest.approx(wanted)
    assert metrics.nll_nats_per_step(np.zeros((1, 1)), np.ones((1, 1))) == math.inf
    assert metrics.nll_nats_per_step(np.zeros((1, 1)), np.zeros((1, 1))) == 0


def test_numbers_against_scikit_learn() -> None:
    sk = oracle()
    target = RNG.normal(size=300)
    prediction = target + RNG.normal(size=300)
    assert metrics.mse(prediction, target) == pytest.approx(sk.mean_squared_error(target, prediction))
    assert metrics.mae(prediction, target) == pytest.approx(sk.mean_absolute_error(target, prediction))
    assert metrics.r2(prediction, target) == pytest.approx(sk.r2_score(target, prediction))
    ones = np.ones(300)
    assert metrics.r2(prediction, ones) == sk.r2_score(ones, prediction) == 0
    assert metrics.r2(ones, ones) == sk.r2_score(ones, ones) == 1


def test_missing_numbers_are_left_out() -> None:
    target = np.array([1.0, np.nan, 3.0])
    prediction = np.array([2.0, 100.0, 3.0])
    assert metrics.mse(prediction, target) == 0.5
    assert metrics.mae(prediction, target) == 0.5
    assert metrics.r2(prediction, target) == 0.5


def test_a_missing_answer_is_not_hidden() -> None:
    assert math.isnan(metrics.mse(np.array([np.nan, 1.0]), np.array([1.0, 1.0])))


def test_float32_sums_are_exact_enough() -> None:
    target, prediction = np.zeros(3_000_000, np.float32), np.full(3_000_000, 0.1, np.float32)
    assert metrics.mae(prediction, target) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def plain_distance(p: list[int], y: list[int]) -> int:
    table = [[i + j if 0 in (i, j) else 0 for j in range(len(y) + 1)] for i in range(len(p) + 1)]
    for i in range(1, len(p) + 1):
        for j in range(1, len(y) + 1):
            replaced = table[i - 1][j - 1] + (p[i - 1] != y[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, replaced)
    return table[-1][-1]


@pytest.mark.parametrize("symbols", [1, 3, 50])
def test_edits_against_the_plain_table(symbols: int) -> None:
    random = np.random.default_rng(symbols)
    pairs = [[random.integers(0, symbols, random.integers(0, 14)).tolist() for _ in range(2)] for _ in range(1_500)]
    prediction, target = ([pair[n] for pair in pairs] for n in (0, 1))
    wanted = [plain_distance(p, y) for p, y in pairs]
    assert metrics.edit_distance(prediction, target).tolist() == wanted
    arrays = [np.array(row, np.uint8) for row in prediction]
    assert metrics.edit_distance(arrays, target).tolist() == wanted
    total = sum(map(len, target))
    assert metrics.token_error_rate(prediction, target) == pytest.approx(sum(wanted) / total)


def test_edits_by_hand() -> None:
    kitten, sitting = ([*map(ord, word)] for word in ("kitten", "sitting"))
    assert metrics.edit_distance([kitten, [], kitten, []], [sitting, sitting, [], []]).tolist() == [3, 7, 6, 0]
    assert metrics.token_error_rate([[1, 2, 3]], [[4]]) == 3  # more is wrong than there is
    assert metrics.edit_distance([], []).tolist() == []
    with pytest.raises(ShapeError, match="prediction has 1 sequences, expected 2, as many as target"):
        metrics.edit_distance([[1]], [[1], [2]])


def test_bits() -> None:
    assert metrics.bits(1.4697) == pytest.approx(2.1203, abs=1e-4)


def test_nothing_to_score_is_nan() -> None:
    labels, numbers = np.zeros(0, np.int64), np.zeros(0)
    for value in (
        metrics.accuracy(labels, labels),
        metrics.macro_f1(np.zeros(2, np.int64), np.full(2, MISSING)),
        metrics.nll_nats_per_step(np.full((1, 2), 0.5), np.full((1, 2), np.nan)),
        metrics.set_micro_f1(np.zeros((0, 2), bool), np.zeros((0, 2), bool)),
        metrics.set_macro_f1(np.zeros((0, 2), bool), np.zeros((0, 2), bool)),
        metrics.mse(numbers, numbers),
        metrics.mae(numbers, numbers),
        metrics.r2(np.ones(1), np.full(1, np.nan)),
        metrics.token_error_rate([[1]], [[]]),
    ):
        assert math.isnan(value)


def test_shapes_that_do_not_fit_are_refused() -> None:
    two, three = np.zeros(2, np.int64), np.zeros(3, np.int64)
    for function in (metrics.accuracy, metrics.macro_f1, metrics.mse, metrics.mae, metrics.r2, metrics.set_micro_f1):
        with pytest.raises(ShapeError, match=r"prediction is \(2,\), expected \(3,\), the shape of target"):
            function(two, three)
