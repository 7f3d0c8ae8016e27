"""The frequencies of labels, sets and tags."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.majority import Majority
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def test_majority_of_one_label(texts: Make) -> None:
    baseline = Majority.fit(texts([[0]] * 5, 1, [2, 2, 1, 2, MISSING], 4))
    np.testing.assert_allclose(baseline.probabilities, np.array([1, 2, 4, 1]) / 8)
    found = scores(baseline.judge(texts([[0]] * 3, 1, [2, 0, MISSING], 4)))
    assert found["loss_nats_per_label"] == pytest.approx((math.log(2) + math.log(8)) / 2)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(1 / 3)


def test_majority_of_sets(texts: Make) -> None:
    baseline = Majority.fit(texts([[0]] * 4, 1, [[0], [0, 1], [0], []], 3))
    np.testing.assert_allclose(baseline.probabilities, [4 / 6, 2 / 6, 1 / 6])
    found = scores(baseline.judge(texts([[0]] * 2, 1, [[0], [2]], 3)))
    wanted = -(math.log(4 * 4 * 5) + math.log(2 * 4 * 1)) / 2 + 3 * math.log(6)
    assert found["loss_nats_per_row"] == pytest.approx(wanted)
    assert found["micro_f1"] == 0.5
    assert found["macro_f1"] == pytest.approx(1 / 3)


def test_majority_of_tags(tagged: Make) -> None:
    train = tagged([[0, 0, 0], [0]], [[1, 1, 0], [MISSING]], 1, 2)
    found = scores(Majority.fit(train).judge(train))
    assert found["loss_nats_per_step"] == pytest.approx(-(2 * math.log(3 / 5) + math.log(2 / 5)) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_what_it_applies_to(tokens: Make, tagged: Make, texts: Make, table: Make) -> None:
    text, row = texts([[0]], 1, [0], 2), table(np.zeros((1, 1)), [0], 1, [0], 2)
    steps, words, number = tagged([[0]], [[0]], 1, 1), tokens([[0]], 1), texts([[0]], 1, [0.5], 0)
    assert [Majority.applies(examples) for examples in (text, row, steps, words, number)] == [
        True,
        True,
        True,
        False,
        False,
    ]
