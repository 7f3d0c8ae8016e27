"""The frequencies of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unrolled.baselines.unigram import Unigram
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.fill import FillIn
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def test_unigram_counts_each_token_once_more(tokens: Make) -> None:
    baseline = Unigram.fit(tokens([[2, 0, 0, 1], [2]], 4))
    np.testing.assert_allclose(baseline.probabilities, np.array([3, 2, 1, 1]) / 7)
    found = scores(baseline.judge(tokens([[0, 0, 3]], 4)))
    assert found["loss_nats_per_token"] == pytest.approx((math.log(7 / 3) + math.log(7)) / 2)
    assert found["bits_per_token"] == pytest.approx(found["loss_nats_per_token"] / math.log(2))
    assert found["accuracy"] == 0.5


def test_hidden_tokens_may_be_any_but_unknown_ones(tokens: Make) -> None:
    filled = replace(tokens([[0, 3, 4], [3, 0]], 5), form=FillIn())
    assert Unigram.applies(filled)
    baseline = Unigram.fit(filled)
    np.testing.assert_allclose(baseline.probabilities, np.array([1, 1, 1, 3, 2]) / 8)
    found = scores(baseline.judge(replace(tokens([[4, 0, 3, 3]], 5), form=FillIn())))
    assert found["loss_nats_per_token"] == pytest.approx((2 * math.log(8 / 3) + math.log(4)) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_it_applies_to_tokens_alone(tokens: Make, tagged: Make, series: Make) -> None:
    assert Unigram.applies(tokens([[0, 1]], 2))
    assert not Unigram.applies(tagged([[0]], [[0]], 1, 1))
    assert not Unigram.applies(series([np.zeros((4, 1))], 0))


def test_steps_before_the_border_are_not_scored(tokens: Make) -> None:
    baseline = Unigram.fit(tokens([[0, 0, 0, 1]], 2))
    assert scores(baseline.judge(tokens([[1, 1, 1, 0]], 2, first=[3])))["accuracy"] == 1
    assert scores(baseline.judge(tokens([[1, 1, 1, 0]], 2)))["accuracy"] == pytest.approx(1 / 3)


def test_a_missing_token_is_not_scored(tokens: Make) -> None:
    baseline = Unigram.fit(tokens([[0, 0, 0, MISSING, 1]], 2))
    np.testing.assert_allclose(baseline.probabilities, [3 / 5, 2 / 5])
    assert scores(baseline.judge(tokens([[1, MISSING, 0]], 2)))["accuracy"] == 1


def test_a_split_that_asks_nothing_has_no_scores(tokens: Make) -> None:
    assert scores(Unigram.fit(tokens([[0, 1]], 2)).judge(tokens([[1]], 2))) == {}
