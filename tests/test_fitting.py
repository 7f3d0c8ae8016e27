"""The whole way: what is said on it, and that what is reported is what the saved weights give."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts.runs import RUNS, as_lines

import unrolled as ur

LABELLED = {"text": ["a b", "b c", "c a", "d a"] * 5, "label": ["x", "y", "x", "y"] * 5}


@pytest.mark.parametrize("name", RUNS)
def test_the_validation_that_is_reported_is_that_of_the_saved_weights(name: str, tmp_path: Path) -> None:
    run = RUNS[name]
    held_out = as_lines(run.data, tmp_path / "held-out.jsonl")
    trained = run.fit(tmp_path / "run", valid=held_out)
    assert trained.metrics["valid"] == trained.evaluate(held_out)
    assert trained.metrics["valid"] == ur.load(tmp_path / "run").evaluate(held_out)


@pytest.mark.parametrize(("model", "said"), [("lstm", 1), ("gru", 1), ("bigru", 0), ("window", 0)])
def test_both_directions_are_suggested_where_they_help(model: str, said: int, tmp_path: Path) -> None:
    lines: list[str] = []
    options = {"kinds": {"text": "tokens"}, "steps": 1, "hidden": 3, "model": model}
    ur.fit(LABELLED, target="label", out=tmp_path / "run", say=lines.append, **options)
    assert sum(f"try --model bi{model}" in line for line in lines) == said


@pytest.mark.parametrize("target", [[1.5, 2.5, 3.5] * 10, [1, 2, 3] * 10])
def test_a_horizon_asks_for_a_forecast_whatever_the_target_looks_like(target: list[float], tmp_path: Path) -> None:
    lines: list[str] = []
    options = {"horizon": 1, "lookback": 4, "steps": 1, "hidden": 3}
    trained = ur.fit({"x": [target]}, target="x", out=tmp_path / "run", say=lines.append, **options)
    assert trained.task.name == "forecast"
    assert "task: forecast (--horizon 1 was asked); --task overrules it" in lines
