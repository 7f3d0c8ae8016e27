"""The linear model of plain rows against scikit-learn, and what its penalty is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.solved import linear
from unrolled.solved.linear import Linear
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate, outputs_over

KINDS = {"a": "number", "b": "number", "c": "category"}


def oracle() -> Any:
    return pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the oracle of this test")


def made(classes: int, noise: float = 1.0, rows: int = 200, seed: int = 0) -> tuple[Sample, np.ndarray, np.ndarray]:
    """A question, the standardised numbers and one-hot categories, and the target."""
    random = np.random.default_rng(seed)
    numbers, categories = random.normal(size=(rows, 2)), random.integers(0, 4, rows)
    dense = np.concatenate([(numbers - numbers.mean(0)) / numbers.std(0), np.eye(4)[categories]], 1)
    size = max(classes, 1)
    scores = dense @ random.normal(size=(6, size)) + noise * random.normal(size=(rows, size))
    target = scores.argmax(1) if classes else scores[:, 0]
    columns = {"a": numbers[:, 0], "b": numbers[:, 1], "c": [f"k{c}" for c in categories]}
    answers = [f"y{y}" for y in target] if classes else target.tolist()
    kinds = {**KINDS, "y": "category" if classes else "number"}
    return (
        Sample("classify" if classes else "regress", sequences({**columns, "y": answers}, kinds), ("y",)),
        dense,
        target,
    )


def solve(sample: Sample) -> tuple[Any, Any, Any]:
    task = sample.ask()
    train = sample.examples(task)
    assert Linear.applies(task, train)
    return Linear.solve(task, train, Linear.Options(), 0), task, train


@pytest.fixture
def one_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """C = 1, from which larger values are not tried: the loss of the left-out rows seems to rise."""
    scores = iter(range(10**6, 0, -1))
    monkeypatch.setattr(linear, "_SMALLEST", 1.0)
    monkeypatch.setattr(linear, "minus_loss", lambda _: lambda *_: float(next(scores)))


@pytest.mark.usefixtures("one_penalty")
@pytest.mark.parametrize("classes", [2, 4])
def test_it_equals_scikit_learns_logistic_regression(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sk = oracle()
    monkeypatch.setattr("unrolled.solved._linear_rows._temperature", lambda *_: 1.0)
    sample, dense, target = made(classes)
    # of two classes scikit-learn penalises one weight vector w = w1 - w0; here w1 = -w0 = w / 2: half the penalty
    wanted = sk.LogisticRegression(C=2.0 if classes == 2 else 1.0, max_iter=2_000, tol=1e-9).fit(dense, target)
    model, task, train = solve(sample)
    found = evaluate(model, task, train, TrainingConfig())
    logs = wanted.predict_log_proba(dense)
    assert found["loss_nats_per_label"] == pytest.approx(-logs[np.arange(200), target].mean(), rel=1e-2)
    assert found["accuracy"] == pytest.approx(wanted.score(dense, target), abs=0.011)


@pytest.mark.usefixtures("one_penalty")
def test_it_equals_scikit_learns_ridge() -> None:
    sk = oracle()
    sample, dense, target = made(0)
    model, task, train = solve(sample)
    scaled = (target - target.mean()) / target.std()
    wanted = sk.Ridge(alpha=1.0).fit(dense, scaled)
    found = evaluate(model, task, train, TrainingConfig())
    assert found["r2"] == pytest.approx(wanted.score(dense, scaled), rel=1e-3)


def test_noise_is_not_learned() -> None:
    """Ninety rows and thirty columns of noise: the chosen penalty leaves hardly more than the frequencies."""
    random = np.random.default_rng(0)
    columns = {f"n{n}": random.normal(size=90) for n in range(30)}
    labels = ["yes" if value < 0.7 else "no" for value in random.random(90)]
    sample = Sample(
        "classify", sequences({**columns, "y": labels}, {**dict.fromkeys(columns, "number"), "y": "category"}), ("y",)
    )
    model, task, _ = solve(sample)
    later = {f"n{n}": random.normal(size=900) for n in range(30)}
    answers = ["yes" if value < 0.7 else "no" for value in random.random(900)]
    part = task.coder.encode(sequences({**later, "y": answers}, dict(sample.data.kinds)))
    frequencies = -(0.7 * np.log(0.7) + 0.3 * np.log(0.3))
    assert evaluate(model, task, part, TrainingConfig())["loss_nats_per_label"] < frequencies + 0.06


@pytest.mark.parametrize("classes", [3, 0])
def test_what_decides_is_learned(classes: int) -> None:
    model, task, _ = solve(made(classes, noise=0.05)[0])
    found = evaluate(model, task, task.coder.encode(made(classes, noise=0.05)[0].data), TrainingConfig())
    assert found["accuracy" if classes else "r2"] > 0.9


def test_rebuilt_alone_and_pushed() -> None:
    sample = made(3)[0]
    model, task, train = solve(sample)
    with torch.device("meta"):
        again = Linear(task, model.options)
    again.load_state_dict(model.state_dict(), assign=True)
    for outputs, batch in outputs_over(again, task, train, TrainingConfig(batch=7)):
        assert torch.equal(model.run(batch)[0], outputs)
        assert torch.equal(model.session(len(outputs)).push(batch.inputs), outputs)


def test_what_it_applies_to() -> None:
    asked = {name: sample.ask() for name, sample in SAMPLES.items()}
    able = {name for name, task in asked.items() if Linear.applies(task, SAMPLES[name].examples(task))}
    assert able == {"classify a plain row"}
