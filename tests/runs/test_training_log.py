"""The log as arrays: known entries in, known numbers out, and what a log of a run that is still written looks like."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.errors import ModelError
from unrolled.runs.training_log import Phase, TrainingLog, from_events, read_log

NORMS = {"columns.embeddings": 3.0, "layer.layers.0": 4.0, "head": 12.0}


def step(at: int, share: float = 0.0, **more: Any) -> dict[str, Any]:
    numbers = {"loss": 10 / at, "lr": 0.01, "clipped_share": share, "gradient_norm": 13.0, "gradient_norms": NORMS}
    return {"kind": "step", "step": at, "epoch": 0, "seconds": at / 10, "progress": at / 100, **numbers, **more}


EVENTS = [
    step(20, share=1.0),
    {"kind": "valid", "step": 30, "epoch": 0, "seconds": 3.0, "progress": None, "accuracy": 0.5, "mse_scaled": 2.0},
    step(40, share=0.5),
    {"kind": "skipped", "step": 50, "epoch": 0, "seconds": 5.0, "progress": None, "loss": None},
    step(80, share=0.5, gradient_norm=None),
    {"kind": "look", "step": 80, "gates": {"layer 1, forget gate": {"closed": 0.0, "open": 0.1}}, "sample": {}},
    {"kind": "fall", "step": 80, "epoch": 0, "seconds": 8.0, "steps": 10, "best": 30, "early": True, "refit": True},
    {"kind": "valid", "step": 80, "epoch": 0, "seconds": 8.5, "progress": None, "accuracy": 0.75},
    {"kind": "refit", "step": 90, "before": 1.0, "after": 2.0, "kept": False},
    {"kind": "valid_final", "step": 90, "accuracy": 0.75},
]


def written(path: Path, events: list[dict[str, Any]], torn: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + torn)


def test_the_entries_become_arrays() -> None:
    log = from_events(EVENTS)
    assert log.steps.tolist() == [20, 40, 80]
    assert log.losses.tolist() == [0.5, 0.25, 0.125] and log.seconds.tolist() == [2.0, 4.0, 8.0]
    assert log.clipped.tolist() == [1.0, 0.0, 0.5]  # of 20, 20 and 40 steps: 20, none and 20
    assert log.norms.tolist()[:2] == [13.0, 13.0] and np.isnan(log.norms[2])
    assert {name: values.tolist() for name, values in log.parts.items()} == {
        "embeddings": [3.0] * 3,
        "layer 1": [4.0] * 3,
        "output layer": [12.0] * 3,
    }
    assert log.stacked == "layer 1"
    assert log.validated.tolist() == [30, 80] and log.valid["accuracy"].tolist() == [0.5, 0.75]
    assert np.array_equal(log.valid["mse_scaled"], [2.0, np.nan], equal_nan=True)
    assert log.phases == (Phase("held", 0), Phase("falls over all data", 80))
    assert log.looks[0].gates["layer 1, forget gate"]["open"] == 0.1
    assert (log.skipped, log.refused, log.flat, log.step, log.total, log.spent) == (1, True, False, 90, 90, 8.5)
    assert log.results == {"valid": {"accuracy": 0.75}}


def test_the_time_that_is_left_is_that_of_the_last_steps() -> None:
    log = from_events([step(20), step(40), step(60, seconds=10.0, progress=0.5)])
    assert log.total == 120
    assert log.left == pytest.approx(60 * (10.0 - 2.0) / 40)
    assert from_events([step(20)]).left is None
    assert from_events([step(20, progress=None), step(40, progress=None)]).left is None


def test_an_entry_of_an_earlier_version_has_no_norms() -> None:
    old = {"kind": "step", "step": 20, "epoch": 0, "seconds": 1.0, "progress": 0.1, "loss": 1.0, "lr": 0.1}
    log = from_events([{**old, "clipped_share": 0.25}])
    assert log.parts == {} and log.stacked is None and np.isnan(log.norms[0])
    assert np.isnan(log.lately(log.norms)) and log.lately(log.clipped) == 0.25


def test_layers_without_weights_are_not_counted() -> None:
    norms = {"layer.layers.0": 1.0, "layer.layers.3": 2.0, "head": 1.0}
    assert list(from_events([step(20, gradient_norms=norms)]).parts) == ["layer 1", "layer 2", "output layer"]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    written(tmp_path / "metrics.jsonl", EVENTS[:1], torn='{"kind": "step", "st')
    assert read_log(tmp_path).steps.tolist() == [20]
    written(tmp_path / "metrics.jsonl", [], torn='17\nnull\n{"step": 3}\n{"kind": "step"}\n\xff\n')
    assert read_log(tmp_path).steps.tolist() == []


def test_without_a_log_it_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path).steps.tolist() == TrainingLog().steps.tolist() == []


def test_in_a_race_it_is_that_of_the_newest_contestant(tmp_path: Path) -> None:
    for number in (0, 1):
        written(tmp_path / "race" / f"{number}.jsonl", [step(20 * (number + 1))])
        os.utime(tmp_path / "race" / f"{number}.jsonl", (number, number))
    assert read_log(tmp_path).steps.tolist() == [40]
    written(tmp_path / "metrics.jsonl", [step(60)])
    assert read_log(tmp_path).steps.tolist() == [60]


@pytest.mark.parametrize("entry", ['"kind": "look"', '"kind": "step", "loss": "x"', '"kind": [1]', '"kind": "refit"'])
def test_an_entry_of_another_shape_is_a_damaged_log(tmp_path: Path, entry: str) -> None:
    written(tmp_path / "metrics.jsonl", [], torn=f'{{"step": 1, {entry}}}\n')
    with pytest.raises(ModelError, match=r"metrics\.jsonl is damaged"):
        read_log(tmp_path)
