from __future__ import annotations

import math

import pytest

from unrolled.metrics.metric import METRICS, best_first, cost, measure


def test_no_two_metrics_give_the_same_number() -> None:
    names = [found.name for metric in METRICS.members().values() for found in metric.measures]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "better", "unit"),
    [
        ("loss_nats_per_token", "lower", "nats"),
        ("nll_nats_per_step", "lower", "nats"),
        ("bits_per_character", "lower", "bits"),
        ("macro_f1", "higher", "share"),
        ("entity_recall", "higher", "share"),
        ("exact_match", "higher", "share"),
        ("token_error_rate", "lower", "edits per token"),
        ("ndcg_at_10_sampled", "higher", "gain"),
        ("r2", "higher", "share"),
        ("smape_percent", "lower", "percent"),
        ("coverage", None, "share"),
    ],
)
def test_a_number_is_known_by_its_name(name: str, better: str | None, unit: str) -> None:
    found = measure(name)
    assert found is not None
    assert (found.better, found.unit) == (better, unit)


def test_what_no_metric_declares_has_no_direction() -> None:
    assert measure("tunes_parsed") is None
    assert math.isnan(cost("tunes_parsed", 1.0))


def test_rows_without_the_number_come_last_in_their_order() -> None:
    rows = {"a": {}, "b": {"mse": math.nan}, "c": {"mse": 2.0}, "d": {"mse": 1.0}}
    assert list(best_first(rows, "mse")) == ["d", "c", "a", "b"]
    assert list(best_first(rows, "coverage")) == list(rows)
