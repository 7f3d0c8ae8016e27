from __future__ import annotations

import math

import pytest

from unrolled.runs.findings import Findings
from unrolled.runs.verdict import Verdict, compare, rival_of

BASELINES = {
    "majority": {"accuracy": 0.5, "macro_f1": 0.4, "loss_nats_per_label": 0.69},
    "linear": {"accuracy": 0.7, "macro_f1": 0.8, "loss_nats_per_label": 0.5},
}


def outcome(measure: str, value: float, best: float, error: float | None = None) -> str:
    return Verdict(measure, value, "linear", best, error).outcome


@pytest.mark.parametrize(
    ("measure", "value", "best", "error", "wanted"),
    [
        ("accuracy", 0.9, 0.8, 0.04, "better"),
        ("accuracy", 0.9, 0.8, 0.06, "as good"),
        ("accuracy", 0.8, 0.9, 0.06, "as good"),
        ("accuracy", 0.8, 0.9, 0.04, "worse"),
        ("mae", 0.8, 0.9, 0.04, "better"),
        ("mae", 0.9, 0.8, 0.04, "worse"),
        ("exact_match", 1.0, 0.0, None, "better"),
        ("hit_at_10", 1.0, 1.0, None, "as good"),
        ("hit_at_10", 1.0, 1.0, 0.0, "as good"),
        ("mse_scaled", 0.1 + 0.2, 0.3, None, "as good"),
        ("mse_scaled", math.nan, 0.3, None, "worse"),
    ],
)
def test_a_difference_counts_from_two_standard_errors_on(
    measure: str, value: float, best: float, error: float | None, wanted: str
) -> None:
    assert outcome(measure, value, best, error) == wanted


def test_the_measure_that_chose_the_weights_is_judged_by() -> None:
    """Tweets: the labels are better, the nats are not."""
    ours = {"accuracy": 0.709, "macro_f1": 0.85, "loss_nats_per_label": 1.2}
    verdict = compare(ours, BASELINES, "macro_f1", "loss_nats_per_label", error=0.01, surer=0.15)
    assert verdict is not None and (verdict.rival, verdict.outcome) == ("linear", "better")
    assert verdict.sentences() == [
        "The model is better than the best baseline, 'linear': macro_f1 0.85 against 0.8 (difference 0.05 ± 0.01).",
        "Its labels are better, but its probabilities are over-confident: loss_nats_per_label 1.2 against 0.5.",
    ]


def test_a_tie_is_as_good() -> None:
    verdict = compare({"accuracy": 1.0}, {"n-gram": {"accuracy": 1.0}}, "accuracy", "loss_nats_per_token")
    assert verdict is not None
    assert verdict.sentences() == ["The model is as good as the best baseline, 'n-gram': accuracy 1 against 1."]
    assert verdict.perfect
    assert not Verdict("mae", 1.0, "mean", 1.0).perfect and not Verdict("accuracy", 0.99, "mean", 1.0).perfect


def test_a_measure_without_direction_or_in_common_is_not_judged_by() -> None:
    assert rival_of({"coverage": 0.8}, {"other": {"coverage": 0.9}}, "coverage") is None
    assert compare({"mae": 1.0}, {}, "mae", "mae") is None
    assert compare({"mae": 1.0}, {"mean": {"mae": math.nan}}, "mae", "mae") is None
    assert rival_of({"mae": 1.0, "loss_nats_per_label": 2.0}, {"a": {"loss_nats_per_label": 1.0}}, "mae") == (
        "loss_nats_per_label",
        "a",
    )


def test_findings_are_read_as_they_were_saved() -> None:
    verdict = compare({"accuracy": 0.9}, BASELINES, "macro_f1", "loss_nats_per_label", error=0.02)
    assert verdict is not None
    findings = Findings({"valid": verdict, "test": verdict}, ("It overfits.",), (40, 100))
    assert Findings.from_json(findings.to_json()) == findings
    assert Findings.from_json(Findings().to_json()) == Findings()
    kept = "The weights of step 40 of 100 were kept."
    assert findings.sentences("valid") == [*verdict.sentences(), kept, "It overfits."]
    assert findings.sentences("test") == verdict.sentences()
