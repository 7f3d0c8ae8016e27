"""What every registered metric keeps: batches add up, perfect answers are the best, a direction is declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from unrolled.metrics.base import METRICS, cost, measure
from unrolled.metrics.iob2 import IOB2
from unrolled.metrics.judged import (
    ChosenLabels,
    ChosenSets,
    ChosenTags,
    ChosenTokens,
    CodeLength,
    Forecasts,
    Gaussians,
    Intervals,
    Nats,
    NextValues,
    Points,
    Quantiles,
    Ranks,
    Seasonal,
    TokenSequences,
    Values,
)
from unrolled.metrics.scoring import scores

N = 40  # questions
TAGS = IOB2.of(["B-x", "I-x", "O"])
LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Kind:
    """How answers of a kind look that are drawn by lot, how their part ``a … b`` does, and those without a fault."""

    drawn: Callable[[], Any]
    part: Callable[[Any, int, int], Any]
    perfect: Callable[[Any], Any]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


def gaps(right: torch.Tensor) -> torch.Tensor:
    return right.masked_fill(torch.rand(right.shape) < 0.2, torch.nan)


def cut(*names: str) -> Callable[[Any, int, int], Any]:
    return lambda judged, a, b: replace(judged, **{name: getattr(judged, name)[a:b] for name in names})


def share(*names: str) -> Callable[[Any, int, int], Any]:
    """Of what is summed already, as much as the part is long."""
    return lambda judged, a, b: replace(judged, **{name: getattr(judged, name) * (b - a) / N for name in names})


def right(name: str) -> Callable[[Any], Any]:
    return lambda judged: replace(judged, **{name: judged.right})


def rows() -> list[list[int]]:
    return [torch.randint(0, 3, (int(size),)).tolist() for size in torch.randint(1, 6, (N,))]


def tags() -> ChosenTags:
    assert TAGS is not None
    first = torch.arange(N) % 10 == 0  # so that rows end where batches do
    return ChosenTags(torch.randint(0, 3, (N,)), torch.randint(0, 3, (N,)), first, TAGS)


NAIVE = torch.tensor([0.5, torch.nan], dtype=torch.float64)
KINDS: dict[type, Kind] = {
    Nats: Kind(
        lambda: Nats("loss_nats_per_label", numbers().abs(), torch.tensor(float(N))),
        share("total", "count"),
        lambda judged: replace(judged, total=torch.tensor(0.0)),
    ),
    CodeLength: Kind(
        lambda: CodeLength(numbers().abs(), torch.tensor(float(N)), "token"),
        share("nats", "count"),
        lambda judged: replace(judged, nats=torch.tensor(0.0)),
    ),
    ChosenLabels: Kind(
        lambda: ChosenLabels(torch.randint(0, 4, (N,)), torch.randint(0, 4, (N,)), 5),
        cut("chosen", "right"),
        right("chosen"),
    ),
    ChosenTokens: Kind(
        lambda: ChosenTokens(torch.randint(0, 4, (N,)), torch.randint(0, 4, (N,))),
        cut("chosen", "right"),
        right("chosen"),
    ),
    ChosenSets: Kind(
        lambda: ChosenSets(torch.rand(N, 4) < 0.4, torch.rand(N, 4) < 0.4), cut("chosen", "right"), right("chosen")
    ),
    ChosenTags: Kind(tags, cut("chosen", "right", "first"), right("chosen")),
    Values: Kind(lambda: Values(numbers(N), gaps(numbers(N)), 3.0), cut("answer", "right"), right("answer")),
    NextValues: Kind(lambda: NextValues(numbers(N, 2), gaps(numbers(N, 2))), cut("answer", "right"), right("answer")),
    Forecasts: Kind(
        lambda: Forecasts(numbers(N, 3, 2), gaps(numbers(N, 3, 2)), numbers(2), numbers(2).abs()),
        cut("answer", "right"),
        right("answer"),
    ),
    Seasonal: Kind(
        lambda: Seasonal(numbers(N, 3, 2), gaps(numbers(N, 3, 2)), NAIVE), cut("answer", "right"), right("answer")
    ),
    Points: Kind(lambda: Points(numbers(N, 2), gaps(numbers(N, 2))), cut("answer", "right"), right("answer")),
    Gaussians: Kind(
        lambda: Gaussians(numbers(N, 2), numbers(N, 2).exp(), gaps(numbers(N, 2))),
        cut("mean", "sigma", "right"),
        lambda judged: replace(judged, mean=judged.right, sigma=torch.full_like(judged.sigma, 1e-12)),
    ),
    Quantiles: Kind(
        lambda: Quantiles(LEVELS, numbers(N, 2, 3).sort(-1).values, gaps(numbers(N, 2))),
        cut("values", "right"),
        lambda judged: replace(judged, values=judged.right[..., None].expand_as(judged.values)),
    ),
    Intervals: Kind(
        lambda: Intervals(numbers(N) - 1, numbers(N) + 1, gaps(numbers(N))),
        cut("low", "high", "right"),
        lambda judged: replace(judged, low=judged.right, high=judged.right),
    ),
    TokenSequences: Kind(lambda: TokenSequences(rows(), rows()), cut("written", "right"), right("written")),
    Ranks: Kind(
        lambda: Ranks(torch.randint(1, 30, (N,)), sampled=bool(torch.rand(()) < 0.5)),
        cut("places"),
        lambda judged: replace(judged, places=torch.ones(N)),
    ),
}
PAIRS = [(name, kind) for name, metric in METRICS.members().items() for kind in metric.judges]
IDS = [f"{name}-{kind.__name__}" for name, kind in PAIRS]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def values(name: str, *batches: Any) -> dict[str, float]:
    """Those of one metric."""
    found = scores((batch,) for batch in batches)
    own = METRICS.get(name).measures
    return {key: value for key, value in found.items() if measure(key) in own}


def test_every_kind_of_answers_is_here() -> None:
    assert {kind for _, kind in PAIRS} == KINDS.keys(), "add a sample of the new kind"


@pytest.mark.parametrize(("name", "kind"), PAIRS, ids=IDS)
def test_the_sums_of_batches_are_those_of_the_whole(name: str, kind: type) -> None:
    whole = KINDS[kind].drawn()
    parts = [KINDS[kind].part(whole, a, b) for a, b in ((0, 10), (10, 10), (10, 30), (30, N))]
    together = values(name, whole)
    assert together
    assert values(name, *parts) == pytest.approx(together, rel=1e-12)
    assert values(name, *reversed(parts)) == pytest.approx(together, rel=1e-12)


@pytest.mark.parametrize(("name", "kind"), PAIRS, ids=IDS)
def test_perfect_answers_give_the_best_value(name: str, kind: type) -> None:
    drawn = KINDS[kind].drawn()
    some, best = values(name, drawn), values(name, KINDS[kind].perfect(drawn))
    assert some.keys() == best.keys()
    for key, value in best.items():
        declared = measure(key)
        assert declared is not None
        if declared.better is not None:
            assert value == pytest.approx(1.0 if declared.better == "higher" else 0.0, abs=1e-9)
            assert cost(key, value) < cost(key, some[key])


@pytest.mark.parametrize(("name", "kind"), PAIRS, ids=IDS)
def test_of_no_answers_there_are_no_numbers(name: str, kind: type) -> None:
    assert values(name, KINDS[kind].part(KINDS[kind].drawn(), 0, 0)) == {}
    assert scores([]) == {}


@pytest.mark.parametrize("name", METRICS.names())
def test_a_metric_gives_what_it_declares_and_nothing_else(name: str) -> None:
    metric = METRICS.get(name)
    for kind in metric.judges:
        judged = KINDS[kind].drawn()
        for key, value in metric().values(metric().sums(judged)).items():
            assert measure(key) in metric.measures
            assert type(value) is float
    assert all(found.unit and found.better in ("higher", "lower", None) for found in metric.measures)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if "answer" in kind.__dataclass_fields__ or kind in (Gaussians, Quantiles)]
)
def test_an_answer_that_is_no_number_is_not_hidden(kind: type) -> None:
    drawn = KINDS[kind].drawn()
    field = {Gaussians: "mean", Quantiles: "values"}.get(kind, "answer")
    spoiled = replace(drawn, **{field: torch.full_like(getattr(drawn, field), torch.nan)})
    found = scores([(spoiled,)])
    assert all(cost(key, value) != cost(key, value) for key, value in found.items()), found  # NaN, or no direction
