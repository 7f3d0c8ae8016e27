"""Long splits are cut to what is asked first or was seen last, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unrolled.baselines._arrays import asked_values
from unrolled.baselines._subsample import for_fitting, for_scoring
from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples

Make = Callable[..., Examples]


def rows_of(examples: Examples) -> list[list[int]]:
    target = examples.target
    assert target is not None
    assert target.offsets is not None
    return [target.values[a:b].tolist() for a, b in zip(target.offsets[:-1], target.offsets[1:], strict=True)]


def test_small_splits_stay_as_they_are(tokens: Make, texts: Make) -> None:
    for examples in (tokens([[0, 1, 2]], 3), tokens([[0, 1, 2]], 3, first=[1]), texts([[0]], 1, [0], 2)):
        assert for_fitting(examples, 3) is examples
        assert for_scoring(examples, 3) is examples


def test_training_keeps_its_last_steps(tokens: Make) -> None:
    train = tokens([[0, 1, 2], [3, 4], [5], [6, 7]], 8)
    assert rows_of(for_fitting(train, 4)) == [[4], [5], [6, 7]]
    assert rows_of(for_fitting(train, 1)) == [[7]]
    column = for_fitting(train, 4).inputs["x"]
    assert train.target is not None
    assert np.shares_memory(column.values, train.target.values)


def test_scoring_keeps_its_first_steps(tokens: Make) -> None:
    part = tokens([[0, 1, 2], [3, 4], [5], [6, 7]], 8)
    assert rows_of(for_scoring(part, 4)) == [[0, 1, 2], [3]]


def test_history_is_kept_short_and_not_counted(tokens: Make) -> None:
    part = tokens([range(200), range(90)], 200, first=[150, 80])
    cut = for_scoring(part, 20)
    assert rows_of(cut) == [list(range(150 - 64, 170))]
    assert cut.first is not None
    assert cut.first.tolist() == [64]
    whole = for_scoring(part, 1_000)
    assert rows_of(whole) == [list(range(86, 200)), list(range(16, 90))]
    assert part.target is not None
    assert whole.target is not None
    asked, wanted = whole.target.values[asked_values(whole)], part.target.values[asked_values(part)]
    assert asked.tolist() == wanted.tolist()


def test_a_forecast_keeps_all_of_its_history(series: Make) -> None:
    part = series([np.arange(100.0)[:, None]], 5, first=[80])
    cut = for_scoring(part, 60)
    assert cut.target is not None
    assert cut.target.values[:, 0].tolist() == list(range(92))
    assert cut.first is not None
    assert cut.first.tolist() == [80]
    assert for_scoring(part, 100) is part


def test_rows_that_are_answered_whole_are_spaced_evenly(texts: Make) -> None:
    rows = [[row, row] for row in range(10)]
    part = texts(rows, 10, list(range(10)), 10)
    for cut in (for_fitting(part, 8), for_scoring(part, 8)):
        assert cut.target is not None
        assert cut.target.values.tolist() == [0, 3, 6, 9]
        assert cut.inputs["x"].values.tolist() == [0, 0, 3, 3, 6, 6, 9, 9]
        assert cut.inputs["x"].offsets is not None
        assert cut.inputs["x"].offsets.tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("cut", [for_fitting, for_scoring])
def test_columns_without_time_keep_their_rows(tokens: Make, cut: Callable[[Examples, int], Examples]) -> None:
    plain = tokens([[0, 1, 2], [3, 4], [5, 6]], 8)
    column = Encoded(np.array([7, 8, 9]), None)
    both = replace(plain, inputs={**plain.inputs, "k": column}, specs={**plain.specs, "k": Discrete(10, time=False)})
    assert cut(both, 8).inputs["k"].values.tolist() == ([8, 9] if cut is for_fitting else [7, 8])
