from __future__ import annotations

import math

from unrolled.cli.output import comparison, is_better, verdict

MODEL = {"loss_nats_per_label": 0.5, "accuracy": 0.8}
BASELINES = {"majority": {"loss_nats_per_label": 0.69, "accuracy": 0.5}, "bag of words": {"loss_nats_per_label": 0.6}}


def test_the_best_baseline_stands_first() -> None:
    assert comparison(MODEL, BASELINES).splitlines() == [
        "              loss_nats_per_label  accuracy",
        "this model                    0.5       0.8",
        "bag of words                  0.6",
        "majority                     0.69       0.5",
    ]


def test_a_better_baseline_is_named_in_a_sentence() -> None:
    assert verdict(MODEL, BASELINES) == "The model is better than every baseline."
    better = verdict(MODEL, {**BASELINES, "n-gram": {"accuracy": 0.9}, "other": {"accuracy": 0.85}})
    assert better.startswith("The baseline 'n-gram' is as good or better in accuracy (0.9 against 0.8)")
    assert verdict(MODEL, {}) == ""


def test_nothing_is_not_a_number_and_better() -> None:
    assert not is_better("accuracy", math.nan, 0.1)
    assert not is_better("mse_scaled", math.nan, 0.1)
    assert "as good or better" in verdict({"mse": math.nan}, {"mean": {"mse": 1.0}})


def test_a_higher_share_of_exact_answers_is_better() -> None:
    right, wrong = (
        {"exact_match": 0.9},
        {"commonest answer": {"exact_match": 0.1}, "nearest question": {"exact_match": 0.4}},
    )
    assert is_better("exact_match", 0.9, 0.4)
    assert verdict(right, wrong) == "The model is better than every baseline."
    assert verdict({"exact_match": 0.2}, wrong).startswith("The baseline 'nearest question' is as good or better")
    assert [line.split("  ")[0] for line in comparison(right, wrong).splitlines()[1:]] == [
        "this model",
        "nearest question",
        "commonest answer",
    ]


def test_a_coverage_is_neither_better_nor_worse() -> None:
    assert not is_better("coverage", 0.8, 0.9)
    assert not is_better("coverage", 0.9, 0.8)
    assert verdict({"coverage": 0.8}, {"other": {"coverage": 0.9}}) == "The model is better than every baseline."
