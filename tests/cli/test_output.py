from __future__ import annotations

from unrolled.cli.output import comparison

MODEL = {"loss_nats_per_label": 0.5, "accuracy": 0.8}
BASELINES = {"majority": {"loss_nats_per_label": 0.69, "accuracy": 0.5}, "bag of words": {"loss_nats_per_label": 0.6}}


def test_what_a_practitioner_reads_comes_first_and_so_does_the_best_baseline() -> None:
    assert comparison(MODEL, BASELINES).splitlines() == [
        "              accuracy  loss_nats_per_label",
        "this model         0.8                  0.5",
        "majority           0.5                 0.69",
        "bag of words                            0.6",
    ]


def test_a_higher_share_of_exact_answers_is_better() -> None:
    others = {"commonest answer": {"exact_match": 0.1}, "nearest question": {"exact_match": 0.4}}
    assert [line.split("  ")[0] for line in comparison({"exact_match": 0.9}, others).splitlines()[1:]] == [
        "this model",
        "nearest question",
        "commonest answer",
    ]
