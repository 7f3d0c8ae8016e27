"""The tags of each token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unrolled.baselines.majority import Majority
from unrolled.baselines.most_frequent_tag import MostFrequentTag
from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def test_most_frequent_tag_knows_tokens_and_falls_back_on_all(tagged: Make) -> None:
    baseline = MostFrequentTag.fit(tagged([[0, 0, 0, 1, 1]], [[1, 1, 0, 2, 2]], 3, 3))
    of_all = np.array([2, 3, 3]) / 8
    np.testing.assert_allclose(baseline.probabilities[2], of_all)
    np.testing.assert_allclose(baseline.probabilities[0], (np.array([1, 2, 0]) + of_all) / 4)
    np.testing.assert_allclose(baseline.probabilities.sum(1), 1)
    found = scores(baseline.judge(tagged([[0, 1, 0]], [[1, 2, 0]], 3, 3)))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert (
        found["loss_nats_per_step"]
        < scores(
            Majority.fit(tagged([[0] * 5], [[1, 1, 0, 2, 2]], 3, 3)).judge(tagged([[0, 1, 0]], [[1, 2, 0]], 3, 3))
        )["loss_nats_per_step"]
    )


def test_most_frequent_tag_reads_the_column_that_tells_most(tagged: Make) -> None:
    words = tagged([[0, 1, 0, 1]], [[0, 1, 0, 1]], 2, 2)
    noise = Encoded(np.array([0, 0, 1, 1]), np.array([0, 4]))
    both = replace(words, inputs={"a": noise, **words.inputs}, specs={"a": Discrete(2), **words.specs})
    assert MostFrequentTag.fit(both).column == "w"


def test_what_it_applies_to(tokens: Make, tagged: Make, texts: Make, table: Make) -> None:
    text, row = texts([[0]], 1, [0], 2), table(np.zeros((1, 1)), [0], 1, [0], 2)
    steps, words, number = tagged([[0]], [[0]], 1, 1), tokens([[0]], 1), texts([[0]], 1, [0.5], 0)
    assert [MostFrequentTag.applies(examples) for examples in (text, row, steps, words, number)] == [
        False,
        False,
        True,
        False,
        False,
    ]
