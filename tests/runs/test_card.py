from __future__ import annotations

from unrolled.runs.card import table


def test_the_baselines_stand_below_the_model_the_best_first() -> None:
    metrics = {"exact_match": 0.5, "token_error_rate": 0.25}
    baselines = {
        "a": {"exact_match": 0.1, "token_error_rate": 0.75},
        "b": {"token_error_rate": 0.5},
        "c": {"exact_match": 0.25},
    }
    assert table(metrics, baselines) == [
        "| | exact_match | token_error_rate |",
        "|---|---|---|",
        "| **this model** | 0.5 | 0.25 |",
        "| c | 0.25 |  |",
        "| a | 0.1 | 0.75 |",
        "| b |  | 0.5 |",
    ]
