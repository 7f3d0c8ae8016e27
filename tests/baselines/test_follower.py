"""Popularity and followers as rankings, against a loop over every item."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from unrolled.baselines.follower import Follower
from unrolled.baselines.popularity import Popularity
from unrolled.data.batches.negatives import negatives
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

SIZE, FIRST = 130, 3


def rows(seed: int, count: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [(FIRST + random.zipf(1.5, size) % 127).tolist() for size in random.integers(1, 9, count)]


@pytest.fixture
def splits(tokens: Callable[..., Examples]) -> tuple[Examples, Examples]:
    later = [*rows(1, 20), [5, 0, 7], [0, 4]]  # an unknown item is asked for, and stands before one
    return tuple(replace(tokens(part, SIZE), first_item=FIRST) for part in (rows(0, 60), later))  # type: ignore


def by_hand(part: Examples, score: Callable[[int, int], float]) -> dict[str, float]:
    """``score(last, item)`` of every item for every question, ties against the right one."""
    places: dict[str, list[float]] = {"": [], "_sampled": []}
    for row, (a, b) in enumerate(pairwise(part.target.offsets)):
        ids = part.target.values[a:b].tolist()
        for step in range(1, len(ids)):
            last, right = ids[step - 1], ids[step]
            drawn = negatives(
                np.array([row]), np.array([step - 1]), np.full(len(ids), row), np.array(ids), range(3, SIZE)
            )
            for suffix, others in (("", range(FIRST, SIZE)), ("_sampled", drawn[0].tolist())):
                ahead = sum(score(last, v) >= score(last, right) for v in others if v != right)
                places[suffix].append(1 + ahead if right >= FIRST else math.inf)
    found = {}
    for suffix, values in places.items():
        found[f"hit_at_10{suffix}"] = float(np.mean([place <= 10 for place in values]))
        found[f"ndcg_at_10{suffix}"] = sum(1 / math.log2(1 + p) for p in values if p <= 10) / len(values)
        found[f"mrr{suffix}"] = sum(1 / place for place in values) / len(values)
    return found


def test_followers_are_ranked_by_their_count_and_then_by_how_often_they_come(splits: tuple[Examples, ...]) -> None:
    train, part = splits
    pairs, single = Counter[tuple[int, int]](), Counter(train.target.values.tolist())
    for a, b in pairwise(train.target.offsets):
        ids = train.target.values[a:b].tolist()
        pairs.update(pairwise(ids))
    expected = by_hand(part, lambda last, item: pairs[last, item] + single[item] / 10_000)
    assert scores(Follower.fit(train).judge(part)) == pytest.approx(expected)


def test_popularity_ranks_by_how_often_items_come(splits: tuple[Examples, ...]) -> None:
    train, part = splits
    asked = [v for a, b in pairwise(train.target.offsets) for v in train.target.values[a + 1 : b]]
    counts = Counter(int(v) for v in asked)
    found = scores(Popularity.fit(train).judge(part))
    expected = by_hand(part, lambda _, item: counts[item])
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_they_rank_items_alone(tokens: Callable[..., Examples]) -> None:
    text = tokens([[0, 1, 2, 1]], 3)
    assert not Follower.applies(text) and not Popularity.applies(text)


def test_a_split_at_the_last_step_is_asked_for_that_alone(splits: tuple[Examples, ...]) -> None:
    train, part = splits
    last = replace(part, first=part.target.lengths() - 1)
    assert scores(Follower.fit(train).judge(last))["mrr"] != scores(Follower.fit(train).judge(part))["mrr"]
    nothing = replace(part, first=part.target.lengths())
    assert scores(Follower.fit(train).judge(nothing)) == {}
