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
from unrolled.runs.training_page import training_page
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
        "Learning curves",
        "Gates at step 80",
        "What it answers on a held-out row",
    ]
    assert page.count("<svg") == 2
    assert "It overfits." in page and "1 steps" in page
    assert "best, the rate falls over all data" in page  # both at step 80
    assert "given: text <code>&lt;b&gt;a film</code>" in page and "<b>a film" not in page
    assert "{{" not in page


@pytest.mark.parametrize("events", [[], [step(20, gradient_norms={})], [EVENTS[1]]])
def test_what_was_not_logged_is_left_out(events: list[dict[str, object]]) -> None:
    page = training_page(state(from_events(events)))
    assert headings(page)[0] == "Verdicts" and "before it is clipped" not in page
    assert ("Learning curves" in headings(page)) == bool(events)


def test_a_page_is_loaded_again_only_while_the_training_is_followed() -> None:
    training = state(from_events(EVENTS))
    assert "location.reload" in training_page(training, follow=True)
    assert "location.reload" not in training_page(training)
    assert "location.reload" not in training_page(replace(training, doing="finished"), follow=True)
