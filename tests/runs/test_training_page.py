"""A training as a page: what it shows, that it says what is wrong, and when a browser loads it again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from runs.test_training_log import EVENTS, step

from unrolled.data.config import DataConfig
from unrolled.layers.config import ModelConfig
from unrolled.runs.config import RunConfig
from unrolled.runs.training_log import TrainingLog, from_events
from unrolled.runs.training_page import curves, training_page
from unrolled.runs.training_state import TrainingState
from unrolled.tasks.config import TaskConfig
from unrolled.training.config import TrainingConfig

LOOK = {
    "kind": "look",
    "step": 80,
    "gates": {"layer 1, forget gate": {"closed": 0.25, "open": 0.5}},
    "sample": {"given": {"text": "<b>a film"}, "right": "good", "wrote": "bad"},
}


def state(log: TrainingLog, **more: object) -> TrainingState:
    config = RunConfig(
        data=DataConfig(), task=TaskConfig(name="classify"), model=ModelConfig(), training=TrainingConfig(steps=100)
    )
    return TrainingState(Path("runs/a"), config, "training", log, "mse_scaled", "accuracy", ("It overfits.",), **more)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def test_everything_that_was_logged_has_its_place() -> None:
    page = training_page(state(from_events([*EVENTS[:5], LOOK, *EVENTS[6:]])))
    assert headings(page) == [
        "Verdicts",
        "Loss",
        "What chooses the weights",
        "Learning rate",
        "Gradient norm",
        "Clipped steps",
        "Gates at step 80",
        "What it answers on a held-out row",
    ]
    assert page.count("<svg") == 6
    assert "It overfits." in page and "1 steps" in page
    assert "best, rate falls over all data" in page  # both at step 80
    assert "given: text <code>&lt;b&gt;a film</code>" in page and "<b>a film" not in page
    assert "{{" not in page


@pytest.mark.parametrize("events", [[], [step(20, gradient_norms={})], [EVENTS[1]]])
def test_what_was_not_logged_is_left_out(events: list[dict[str, object]]) -> None:
    page = training_page(state(from_events(events)))
    assert headings(page)[0] == "Verdicts" and "Gradient norm" not in headings(page)


def test_a_page_is_loaded_again_only_while_the_training_is_followed() -> None:
    training = state(from_events(EVENTS))
    assert "location.reload" in training_page(training, follow=True)
    assert "location.reload" not in training_page(training)
    assert "location.reload" not in training_page(replace(training, doing="finished"), follow=True)


def test_of_many_layers_as_many_are_drawn_as_can_be_told_apart() -> None:
    norms = {f"layer.layers.{n}": 1.0 + n for n in range(30)}
    (chart,) = [
        one for one in curves(from_events([step(20, gradient_norms=norms)]), "", "", None) if "norm" in one.title
    ]
    assert [name for name in (f"layer {n + 1}" for n in range(30)) if f">{name}<" in chart.body] == [
        *("layer 1", "layer 8", "layer 15", "layer 23", "layer 30")
    ]
