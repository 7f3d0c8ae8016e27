from __future__ import annotations

import pytest
import torch

from unrolled.layers.config import ModelConfig
from unrolled.metrics._tally import Tally
from unrolled.runs.advice import Course, Held, about_data, about_gradients, about_training
from unrolled.runs.training_log import from_events
from unrolled.training.config import TrainingConfig


def course(losses: list[float], held_out: list[float], kept: int | None = None) -> Course:
    steps = tuple(20 * (n + 1) for n in range(len(losses)))
    validated = tuple(20 * (n + 1) for n in range(len(held_out)))
    return Course(steps, tuple(losses), validated, tuple(held_out), kept, 20 * max(len(losses), len(held_out)))


def said(run: Course, model: ModelConfig | None = None, **training: float) -> list[str]:
    return list(about_training(run, model or ModelConfig(), TrainingConfig.check(training)))


def test_a_validation_loss_that_rises_while_the_training_loss_falls_is_overfitting() -> None:
    run = course([0.6, 0.4, 0.2, 0.1], [0.64, 0.61, 0.7, 0.81], kept=40)
    assert said(run) == [
        "It overfits since step 40: its validation loss rises from 0.61 to 0.81 while its training loss falls to 0.1. "
        "Try dropout 0.3 or hidden 64, or give it more data."
    ]
    assert "Try hidden 16, or give it more data." in said(run, ModelConfig(dropout=0.4, hidden=32))[0]


def test_a_validation_loss_that_rises_with_the_training_loss_is_not() -> None:
    assert said(course([0.6, 0.4, 0.5, 0.6], [0.64, 0.4, 0.5, 0.6])) == []


def test_a_training_loss_that_stays_is_nothing_learned() -> None:
    assert said(course([0.694, 0.693, 0.693], [0.694, 0.695, 0.7])) == [
        "It learns nothing: its training loss stays at 0.693, what it is without any input. Check that the inputs say "
        "something about the target, or try lr 0.01."
    ]
    assert "try lr 0.002." in said(course([0.7, 0.7], [0.7, 0.7]), lr=0.02)[0]


@pytest.mark.parametrize(
    ("budget", "longer"), [({"steps": 100}, "steps 300"), ({"minutes": 2.0}, "minutes 6"), ({}, "minutes 30")]
)
def test_a_last_validation_that_is_the_best_wants_more_time(budget: dict[str, float], longer: str) -> None:
    run = course([0.6, 0.4, 0.3], [0.6, 0.5, 0.4], kept=60)
    assert said(run, **budget) == [f"It is still improving at its last step: give it more time, such as {longer}."]
    assert said(course([0.6, 0.4, 0.3], [0.41, 0.405, 0.4], kept=60)) == []
    assert said(course([0.6, 0.4, 0.3], [0.6, 0.5, 0.4], kept=40)) == []


def test_without_a_validation_nothing_is_said() -> None:
    assert said(course([0.6, 0.4], [])) == []
    assert said(course([], [])) == []


def test_the_course_is_that_of_the_log() -> None:
    events = [
        {"kind": "step", "step": 20, "loss": 0.5},
        {"kind": "valid", "step": 20, "loss_nats_per_label": 0.6, "accuracy": 0.5},
        {"kind": "skipped", "step": 21, "loss": None},
        {"kind": "valid", "step": 40, "loss_nats_per_label": None},
        {"kind": "valid_final", "step": 40, "loss_nats_per_label": 0.6},
    ]
    assert Course.of(from_events([]), "loss_nats_per_label", None, 0) == Course((), (), (), (), None, 0)
    assert Course.of(from_events(events), "loss_nats_per_label", 20, 40) == Course((20,), (0.5,), (20,), (0.6,), 20, 40)


def test_labels_that_are_never_given_are_named() -> None:
    tally = Tally(3)
    tally.add(torch.tensor([0] * 9 + [1]), torch.tensor([0] * 7 + [2] * 2 + [1]), None)
    found = list(about_data(Held(500, "sequences", {}, ["ok", "warm", "washer"], tally), "class_weights balanced"))
    assert found == ["Never predicted: 'washer' (2 of 10). Try class_weights balanced."]


def test_few_cases_and_intervals_of_a_wrong_width() -> None:
    found = list(about_data(Held(3, "windows of 12 steps", {"coverage": 0.52, "coverage_nominal": 0.8}), ""))
    assert found == [
        "The validation rests on 3 windows of 12 steps, so its figures are uncertain: hold out more with valid 0.3, or "
        "give it more data.",
        "Its intervals are too narrow: they hold 52% of the values instead of 80%.",
    ]
    wide = list(about_data(Held(100, "sequences", {"coverage": 0.99, "coverage_nominal": 0.8}), ""))
    assert wide == ["Its intervals are too wide: they hold 99% of the values instead of 80%."]
    assert not list(about_data(Held(100, "sequences", {"coverage": 0.75, "coverage_nominal": 0.8}), ""))


def gradients(norms: dict[str, float], clipped: float = 0.0, clip: float | None = 1.0, layers: int = 2) -> list[str]:
    """What is said of ten entries with these norms."""
    total = sum(norm**2 for norm in norms.values()) ** 0.5
    log = from_events(
        {"kind": "step", "step": 20 * n, "clipped_share": clipped, "gradient_norm": total, "gradient_norms": norms}
        for n in range(1, 11)
    )
    return list(about_gradients(log, ModelConfig(layers=layers), TrainingConfig(clip=clip)))


def test_gradients_explode_where_most_steps_are_clipped_from_ten_times_the_limit() -> None:
    assert gradients({"layer.layers.0": 3.0, "layer.layers.1": 19.6, "head": 4.0}, clipped=0.8) == [
        "Its gradients explode: lately 80% of the steps were clipped to a norm of 1, and their norm was 20.2, most of it "
        "in layer 2 (19.6). Try lr 0.0002."
    ]
    assert gradients({"layer.layers.0": 20.0, "head": 4.0}, clipped=0.5) == []
    assert gradients({"layer.layers.0": 9.0, "head": 4.0}, clipped=0.8) == []
    assert gradients({"layer.layers.0": 20.0, "head": 4.0}, clipped=0.0, clip=None) == []


def test_gradients_vanish_where_the_first_layer_has_a_ten_thousandth_of_the_last() -> None:
    norms = {"columns.embeddings": 1e-9, "layer.layers.0": 0.9e-4, "layer.layers.1": 0.1, "head": 1.0}
    assert gradients(norms) == [
        "Its gradients vanish: that of layer 1 is 9e-05 of that of the output layer, so it hardly learns. Try layers 1, "
        "or another model, such as lstm."
    ]
    assert "Try another model" in gradients(norms, layers=1)[0]
    assert gradients({**norms, "layer.layers.0": 1.1e-4}) == []
    assert gradients({"columns.embeddings": 1e-9, "head": 1.0}) == []
