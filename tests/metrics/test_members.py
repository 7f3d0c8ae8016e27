"""What every registered metric keeps: batches add up, perfect answers are the best, a direction is declared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from unrolled.metrics.judged import Gaussians, Quantiles
from unrolled.metrics.metric import METRICS, cost, measure
from unrolled.metrics.scoring import scores
from unrolled.testing.answers import JUDGED
from unrolled.testing.metrics import CONTRACTS

PAIRS = [(name, kind) for name, metric in METRICS.members().items() for kind in metric.judges]
IDS = [f"{name}-{kind.__name__}" for name, kind in PAIRS]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_every_kind_of_answers_is_here() -> None:
    assert {kind for _, kind in PAIRS} == JUDGED.keys(), "add a sample of the new kind"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize(("name", "kind"), PAIRS, ids=IDS)
def test_a_metric(name: str, kind: type, contract: Any) -> None:
    contract(METRICS.get(name), kind)


@pytest.mark.parametrize("kind", JUDGED)
def test_of_perfect_answers_every_value_is_one_or_zero(kind: type) -> None:
    for name, value in scores([(JUDGED[kind].perfect(JUDGED[kind].drawn()),)]).items():
        declared = measure(name)
        assert declared is not None
        if declared.better is not None:
            best = 100.0 if declared.unit == "points" else 1.0
            assert value == pytest.approx(best if declared.better == "higher" else 0.0, abs=1e-9)


@pytest.mark.parametrize(
    "kind", [kind for kind in JUDGED if "answer" in kind.__dataclass_fields__ or kind in (Gaussians, Quantiles)]
)
def test_an_answer_that_is_no_number_is_not_hidden(kind: type) -> None:
    drawn = JUDGED[kind].drawn()
    field = {Gaussians: "mean", Quantiles: "values"}.get(kind, "answer")
    spoiled = replace(drawn, **{field: torch.full_like(getattr(drawn, field), torch.nan)})
    found = scores([(spoiled,)])
    assert all(cost(key, value) != cost(key, value) for key, value in found.items()), found  # NaN, or no direction
