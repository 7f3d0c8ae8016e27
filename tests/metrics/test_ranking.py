"""Places and what they are worth, against loops over every candidate."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from unrolled.metrics.judged import Ranks
from unrolled.metrics.ranking import ranks
from unrolled.metrics.scoring import scores


def by_hand(places: list[float]) -> dict[str, float]:
    hits = [place <= 10 for place in places]
    gains = [1 / math.log2(1 + place) if place <= 10 else 0.0 for place in places]
    mean = {"hit_at_10": sum(hits), "ndcg_at_10": sum(gains), "mrr": sum(1 / place for place in places)}
    return {name: value / len(places) for name, value in mean.items()}


def test_a_place_is_found_as_a_loop_finds_it_and_ties_count_against_it() -> None:
    random = np.random.default_rng(0)
    scores, right = random.integers(0, 6, (200, 17)), random.integers(0, 17, 200)
    expected = [1 + sum(s >= row[y] for k, s in enumerate(row) if k != y) for row, y in zip(scores, right, strict=True)]
    assert ranks(torch.from_numpy(scores).double(), torch.from_numpy(right)).tolist() == expected


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, -math.inf])
def test_a_model_that_scores_all_alike_finds_nothing(value: float) -> None:
    places = ranks(torch.full((3, 50), value), torch.tensor([0, 7, 49]))
    assert places.tolist() == [50, 50, 50]
    assert scores([(Ranks(places),)])["hit_at_10"] == 0


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    scores = torch.tensor([[math.nan, 1.0, 0.0]])
    assert [int(ranks(scores, torch.tensor([k]))) for k in range(3)] == [3, 2, 3]


def test_the_metrics_are_those_of_their_formulas_and_add_up_over_batches() -> None:
    places = [1.0, 2.0, 3.0, 10.0, 11.0, 250.0, math.inf]
    expected = by_hand(places)
    assert scores([(Ranks(torch.tensor(places)),)]) == pytest.approx(expected)
    parts = [(Ranks(torch.tensor(part), sampled=True),) for part in (places[:3], places[3:])]
    assert scores(parts) == pytest.approx({f"{name}_sampled": value for name, value in expected.items()})
