"""The 5-gram: what it reaches, its borders and its speed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from unrolled.baselines.ngram import Ngram
from unrolled.baselines.unigram import Unigram
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def markov(length: int, seed: int) -> tuple[list[int], float]:
    """A chain over four tokens, and its entropy rate in nats."""
    chances = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.7, 0.1, 0.1], [0.25] * 4])
    draws, token, row = np.random.default_rng(seed).random(length), 0, []
    for draw in draws:
        token = int(np.searchsorted(chances[token].cumsum(), draw))
        row.append(min(token, 3))
    power = np.linalg.matrix_power(chances, 60)[0]
    return row, float(-(power[:, None] * chances * np.log(chances)).sum())


def test_ngram_reaches_the_entropy_of_a_chain(tokens: Make) -> None:
    (train, entropy), (part, _) = markov(20_000, 0), markov(5_000, 1)
    found = scores(Ngram.fit(tokens([train], 4)).judge(tokens([part], 4)))
    assert entropy - 0.03 < found["loss_nats_per_token"] < entropy + 0.05
    assert found["accuracy"] > 0.55
    assert (
        found["loss_nats_per_token"]
        < scores(Unigram.fit(tokens([train], 4)).judge(tokens([part], 4)))["loss_nats_per_token"]
    )


def test_ngram_never_learns_from_what_it_is_scored_on(tokens: Make) -> None:
    train, part = tokens([[0, 1] * 50], 4), tokens([[2, 3] * 50], 4)
    baseline = Ngram.fit(train)
    assert scores(baseline.judge(part)) == scores(baseline.judge(part))
    assert scores(baseline.judge(part))["loss_nats_per_token"] > math.log(4)


# Quick because nothing loops over tokens; a loop would run into the suite's timeout.
def test_a_million_characters(tokens: Make) -> None:
    random = np.random.default_rng(0)
    words = [random.integers(0, 60, random.integers(2, 9)) for _ in range(3_000)]
    text = np.concatenate([words[i] for i in random.zipf(1.3, 250_000) % 3_000])[:1_100_000]
    train, part = tokens([text[:1_000_000]], 60), tokens([text[1_000_000:]], 60)
    found = scores(Ngram.fit(train).judge(part))
    assert found["loss_nats_per_token"] < 2.5


def test_it_applies_to_the_next_token_alone(tokens: Make, tagged: Make, series: Make) -> None:
    assert Ngram.applies(tokens([[0, 1]], 2))
    assert not Ngram.applies(tagged([[0]], [[0]], 1, 1))
    assert not Ngram.applies(series([np.zeros((4, 1))], 0))


def test_steps_before_the_border_are_context_only(tokens: Make) -> None:
    baseline = Ngram.fit(tokens([[0, 1, 2, 3, 4, 5] * 4], 6))
    assert scores(baseline.judge(tokens([[3, 3, 3, 3, 0, 1, 2, 3, 4]], 6, first=[8])))["accuracy"] == 1


def test_a_missing_token_is_not_scored(tokens: Make) -> None:
    found = scores(Ngram.fit(tokens([[0, 1, 2, 0, 1, 2, 0]], 3)).judge(tokens([[0, 1, MISSING]], 3)))
    assert math.isfinite(found["loss_nats_per_token"])
    assert found["accuracy"] == 1


def test_a_split_that_asks_nothing_has_no_scores(tokens: Make) -> None:
    assert scores(Ngram.fit(tokens([[0, 1]], 2)).judge(tokens([[1]], 2))) == {}
