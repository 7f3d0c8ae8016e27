"""Words in no order."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from unrolled.baselines.bag_of_words import BagOfWords
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def reviews(seed: int, rows: int = 600) -> tuple[list[list[int]], list[int]]:
    """Forty neutral words; word 40 speaks for label 1, word 41 for label 0."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, rows)
    words = [[*random.integers(0, 40, 10).tolist(), 40 if label else 41] for label in labels]
    return words, labels.tolist()


def test_bag_of_words_finds_the_words_that_tell(texts: Make) -> None:
    (words, labels), (other, answers) = reviews(0), reviews(1, 200)
    baseline = BagOfWords.fit(texts(words, 42, labels, 2))
    found = scores(baseline.judge(texts(other, 42, answers, 2)))
    assert found["accuracy"] > 0.99
    assert found["macro_f1"] > 0.99
    assert found["loss_nats_per_label"] < 0.2


def test_bag_of_words_repeats_to_the_bit(texts: Make) -> None:
    words, labels = reviews(0)
    rows = texts(words, 42, labels, 2)
    assert scores(BagOfWords.fit(rows).judge(rows)) == scores(BagOfWords.fit(rows).judge(rows))


def test_bag_of_words_does_not_see_the_order(texts: Make) -> None:
    words, labels = reviews(0)
    turned = [row[::-1] for row in words]
    assert scores(BagOfWords.fit(texts(words, 42, labels, 2)).judge(texts(turned, 42, labels, 2))) == scores(
        BagOfWords.fit(texts(turned, 42, labels, 2)).judge(texts(words, 42, labels, 2))
    )


def test_bag_of_words_of_sets_and_numbers(texts: Make) -> None:
    words, labels = reviews(0)
    sets = [[label, 2] for label in labels]
    found = scores(BagOfWords.fit(texts(words, 42, sets, 4)).judge(texts(words, 42, sets, 4)))
    assert found["micro_f1"] == found["macro_f1"] == 1
    numbers = [2.0 * label - 1 for label in labels]
    assert scores(BagOfWords.fit(texts(words, 42, numbers, 0)).judge(texts(words, 42, numbers, 0)))["r2"] > 0.9


def test_bag_of_words_answers_rows_of_unseen_words_and_empty_rows(texts: Make) -> None:
    words, labels = reviews(0)
    baseline = BagOfWords.fit(texts(words, 60, labels, 2))
    found = scores(baseline.judge(texts([[59, 58], []], 60, [0, 1], 2)))
    assert math.isfinite(found["loss_nats_per_label"])


def test_bag_of_words_leaves_rows_without_a_target_out(texts: Make) -> None:
    words, labels = reviews(0, 80)
    more = texts([*words, [40] * 5], 42, [*labels, MISSING], 2)
    found = scores(BagOfWords.fit(more).judge(more))
    assert math.isfinite(found["loss_nats_per_label"])
    assert found["accuracy"] > 0.95


def test_what_it_applies_to(tokens: Make, tagged: Make, texts: Make, table: Make) -> None:
    text, row = texts([[0]], 1, [0], 2), table(np.zeros((1, 1)), [0], 1, [0], 2)
    steps, words, number = tagged([[0]], [[0]], 1, 1), tokens([[0]], 1), texts([[0]], 1, [0.5], 0)
    assert [BagOfWords.applies(examples) for examples in (text, row, steps, words, number)] == [
        True,
        False,
        False,
        False,
        True,
    ]
