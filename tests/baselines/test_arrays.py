"""Which steps and rows are asked, and what counts as several-hot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines import _arrays as questions
from unrolled.baselines._arrays import asked_values, is_several_hot, label_sets
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples

Make = Callable[..., Examples]


def test_the_next_step_asks_for_all_but_each_rows_first(tokens: Make) -> None:
    assert asked_values(tokens([[5, 5, 5], [], [5], [5, 5]], 9)).tolist() == [1, 2, 5]
    assert asked_values(tokens([[5, MISSING, 5], [5, 5]], 9)).tolist() == [2, 4]
    assert asked_values(tokens([[5, 5, 5], [5, 5, 5]], 9, first=[2, 0])).tolist() == [2, 4, 5]


def test_tags_ask_for_all_that_are_known(tagged: Make) -> None:
    assert asked_values(tagged([[0, 0, 0], [0]], [[1, MISSING, 1], [0]], 1, 2)).tolist() == [0, 2, 3]


def test_rows_with_a_known_target(texts: Make) -> None:
    assert asked_values(texts([[0]] * 3, 1, [1, MISSING, 0], 2)).tolist() == [0, 2]
    assert asked_values(texts([[0]] * 3, 1, [float("nan"), 0.5, 0.0], 0)).tolist() == [1, 2]


def test_sets_of_labels(texts: Make) -> None:
    sets = label_sets(texts([[0]] * 3, 1, [[2, 0], [], [1, MISSING]], 3))
    assert sets.tolist() == [[True, False, True], [False, False, False], [False, True, False]]


def test_several_hot_is_zeros_ones_and_missing(series: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_CHUNK", 2)
    keys = np.array([[0.0, 1.0], [1.0, np.nan], [0.0, 0.0]])
    assert is_several_hot(series([keys], 0))
    assert not is_several_hot(series([keys], 1))
    keys[2, 1] = 0.5
    assert not is_several_hot(series([keys], 0))
