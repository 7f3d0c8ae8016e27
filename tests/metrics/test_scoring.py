from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from unrolled import registry
from unrolled.metrics.judged import (
    ChosenLabels,
    ChosenTokens,
    Nats,
    Ranks,
)
from unrolled.metrics.metric import Measure, Sums, cost
from unrolled.metrics.scoring import added, scores, values
from unrolled.registry import register


def test_all_that_judge_a_kind_are_computed_in_the_order_of_the_answers() -> None:
    nats = Nats("loss_nats_per_label", torch.tensor(1.0), torch.tensor(2))
    labels = ChosenLabels(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)
    assert list(scores([(nats, labels)])) == ["loss_nats_per_label", "accuracy", "macro_f1"]
    assert list(scores([(labels, nats)])) == ["accuracy", "macro_f1", "loss_nats_per_label"]


def test_answers_among_all_and_among_a_sample_are_kept_apart() -> None:
    found = scores([(Ranks(torch.tensor([1.0])), Ranks(torch.tensor([20.0]), sampled=True))])
    assert (found["hit_at_10"], found["hit_at_10_sampled"]) == (1.0, 0.0)


def test_a_metric_of_another_package_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    class Even:
        """The share of chosen tokens that are even."""

        judges: ClassVar[tuple[type, ...]] = (ChosenTokens,)
        measures: ClassVar[tuple[Measure, ...]] = (Measure("even", "share", "higher"),)

        def sums(self, judged: ChosenTokens) -> Sums:
            return {"even": (judged.chosen % 2 == 0).sum(), "all": torch.tensor(len(judged.chosen))}

        def values(self, sums: Sums) -> dict[str, float]:
            return {"even": float(sums["even"]) / float(sums["all"])}

    monkeypatch.setattr(registry, "_registered", {})
    register("metric", "another.even", Even)
    tokens = ChosenTokens(torch.tensor([2, 3, 4]), torch.tensor([2, 2, 2]))
    assert scores([(tokens,), (tokens,)]) == {"accuracy": pytest.approx(1 / 3), "even": pytest.approx(2 / 3)}
    assert cost("even", 0.5) == -0.5


def test_sums_are_not_changed_by_what_is_added() -> None:
    tokens = ChosenTokens(torch.tensor([2, 3]), torch.tensor([2, 2]))
    one = added({}, (tokens,))
    before = {name: value.clone() for name, value in one.items()}
    two = added(one, (tokens,))
    assert all(torch.equal(one[name], value) for name, value in before.items())
    assert values(two) == values(one) == {"accuracy": 0.5}
