"""The charts of a training: which there are, and what each shows."""

from __future__ import annotations

from runs.test_training_log import EVENTS, step

from unrolled.page.chart import picture
from unrolled.runs.training_curves import curves
from unrolled.runs.training_log import TrainingLog, from_events


def titles(log: TrainingLog, chooses: str = "accuracy", clip: float | None = 1.0) -> list[str]:
    return [chart.title for chart in curves(log, "mse_scaled", chooses, None, clip)]


def test_what_was_logged_has_a_chart() -> None:
    log = from_events(EVENTS)
    gradient = "gradient, before it is clipped"
    assert titles(log) == ["loss", "accuracy", "learning rate", gradient, "clipped"]
    assert titles(log, "mse_scaled") == ["loss", "learning rate", gradient, "clipped"]
    assert titles(log, "mse_scaled", None) == ["loss", "learning rate", gradient]
    assert titles(from_events([EVENTS[1]])) == ["loss", "accuracy"]
    assert titles(from_events([step(20, gradient_norms={})])) == ["loss", "learning rate"]
    assert titles(TrainingLog()) == []


def test_the_best_step_and_the_fall_are_marked_once_where_they_are_the_same() -> None:
    drawn = [picture(curves(from_events(EVENTS), "mse_scaled", "accuracy", best, 1.0)[:1]) for best in (80, 30)]
    assert "best, the rate falls over all data" in drawn[0]
    assert ">best<" in drawn[1] and ">the rate falls over all data<" in drawn[1]


def test_of_many_layers_as_many_are_drawn_as_can_be_told_apart() -> None:
    norms = {f"layer.layers.{n}": 1.0 + n for n in range(30)}
    log = from_events([step(20, gradient_norms=norms)])
    (drawn,) = [chart.to_svg() for chart in curves(log, "", "", None, 1.0) if chart.title.startswith("gradient")]
    assert [name for name in (f"layer {n + 1}" for n in range(30)) if f">{name}<" in drawn] == [
        *("layer 1", "layer 8", "layer 15", "layer 23", "layer 30")
    ]
