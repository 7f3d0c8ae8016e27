"""Rocket tells apart what is known to differ, and counts the same whole, in chunks and live."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import Sample, sequences
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.solved.rocket import Rocket, RocketState
from unrolled.solved.solved_model import SOLVED
from unrolled.state import from_bytes, to_bytes
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate

CONFIG = TrainingConfig()


def waves(count: int, seed: int, shortest: int = 40, longest: int = 60) -> dict[str, list[Any]]:
    """Waves of any phase and level; ``quick`` ones have twice the frequency."""
    random = np.random.default_rng(seed)
    rows, labels = [], []
    for _ in range(count):
        quick = bool(random.integers(2))
        t = np.arange(random.integers(shortest, longest + 1))
        wave = np.sin((0.8 if quick else 0.4) * t + random.uniform(0, 6)) + 0.3 * random.normal(size=len(t))
        rows.append((wave + random.normal()).tolist())
        labels.append("quick" if quick else "slow")
    return {"x": rows, "kind": labels}


def asked(table: dict[str, Any], target: str, task: str = "classify", **kinds: str) -> tuple[Task, Examples]:
    every = {"x": "number", target: "category" if task == "classify" else "number"} | kinds
    sample = Sample(task, sequences(table, {name: every[name] for name in table}), (target,))
    found = sample.ask()
    return found, sample.examples(found)


def solved(table: dict[str, Any], target: str, task: str = "classify", **kinds: str) -> tuple[Rocket, Task, Examples]:
    found, train = asked(table, target, task, **kinds)
    assert Rocket.applies(found, train)
    return Rocket.solve(found, train, Rocket.Options(), 0), found, train


def scores(model: Rocket, task: Task, table: dict[str, Any], **kinds: str) -> dict[str, float]:
    target = task.coder.target
    every = {"x": "number", target: "category" if task.labels else "number"} | kinds
    return evaluate(model, task, task.coder.encode(sequences(table, every)), CONFIG)


def test_it_is_a_solved_model_of_labelled_series_only() -> None:
    assert SOLVED.members()["rocket"] is Rocket
    assert Rocket.applies(*asked(waves(8, 0), "kind"))
    assert not Rocket.applies(*asked(waves(8, 0, 5, 8), "kind"))  # shorter than a kernel
    assert not Rocket.applies(*asked(waves(3, 0), "kind"))
    words = {"text": ["a b c d e f g h i"] * 8, "kind": ["u", "v"] * 4}
    assert not Rocket.applies(*asked(words, "kind", text="tokens"))


def test_waves_are_told_apart_by_their_frequency_and_chances_are_fair() -> None:
    model, task, _ = solved(waves(60, 0), "kind")
    found = scores(model, task, waves(200, 1))
    assert found["accuracy"] > 0.97
    assert found["loss_nats_per_label"] < 0.15


def test_labels_by_chance_are_not_answered_with_confidence() -> None:
    table = waves(60, 0)
    table["kind"] = np.random.default_rng(0).permutation(table["kind"]).tolist()
    model, task, _ = solved(table, "kind")
    assert scores(model, task, waves(200, 1))["loss_nats_per_label"] < 0.85  # ln 2 is 0.69


def test_a_number_of_each_row_is_found() -> None:
    """Its share of steps in the upper half, of which a linear map of shares must know."""
    random = np.random.default_rng(0)
    shares = random.uniform(0.2, 0.8, size=150)
    rows = [np.repeat([-1.0, 1.0], [60 - round(60 * s), round(60 * s)]) for s in shares]
    rows = [(random.permutation(row) + 0.1 * random.normal(size=60)).tolist() for row in rows]
    model, task, _ = solved({"x": rows[:100], "y": shares[:100].tolist()}, "y", "regress")
    assert scores(model, task, {"x": rows[100:], "y": shares[100:].tolist()})["r2"] > 0.6


def test_a_set_of_labels_is_answered_label_by_label() -> None:
    random = np.random.default_rng(0)

    def table(count: int) -> dict[str, list[Any]]:
        rows, labels = [], []
        for _ in range(count):
            own = random.integers(0, 2, 2)
            t = np.arange(50)
            wave = own[0] * np.sin(0.3 * t + random.uniform(0, 6)) + own[1] * np.sin(2.0 * t + random.uniform(0, 6))
            rows.append((wave + 0.2 * random.normal(size=50)).tolist())
            labels.append([name for name, there in zip(("low", "high"), own, strict=True) if there])
        return {"x": rows, "heard": labels}

    model, task, _ = solved(table(80), "heard")
    assert scores(model, task, table(100))["micro_f1"] > 0.95


def test_what_a_row_says_once_is_read_too() -> None:
    table = waves(80, 0) | {"city": ["u", "v"] * 40}
    table["kind"] = ["yes" if city == "u" else "no" for city in table["city"]]
    model, task, _ = solved(table, "kind", city="category")
    later = waves(40, 1) | {"city": ["u", "v"] * 20, "kind": ["yes", "no"] * 20}
    assert scores(model, task, later, city="category")["accuracy"] > 0.95


def test_several_channels_count_together() -> None:
    """The label is whether two noises are the same: no channel alone says it."""
    random = np.random.default_rng(0)

    def table(count: int) -> dict[str, list[Any]]:
        noise = random.normal(size=(count, 50, 2))
        same = random.integers(0, 2, count).astype(bool)
        noise[same, :, 1] = noise[same, :, 0]
        return {"x": noise.tolist(), "kind": ["same" if one else "other" for one in same]}

    model, task, _ = solved(table(100), "kind", x="series")
    assert scores(model, task, table(100), x="series")["accuracy"] > 0.95


def test_a_missing_value_is_the_last_known_one() -> None:
    table = waves(20, 0)
    table["x"] = [[None if t % 7 == 3 else value for t, value in enumerate(row)] for row in table["x"]]
    model, task, _ = solved(table, "kind")
    row = table["x"][0]
    filled = [row[t - 1] if value is None else value for t, value in enumerate(row)]
    kinds = {"x": "number", "kind": "category"}

    def outputs(x: list[Any]) -> Tensor:
        part = task.coder.encode(sequences({"x": [x], "kind": ["slow"]}, kinds))
        values = torch.from_numpy(part.inputs["x"].values)[None]
        return model.run(Batch({"x": values}, torch.tensor([len(x)]), torch.zeros(1, dtype=torch.int64)))[0]

    assert torch.equal(outputs(row), outputs(filled))


def test_live_in_chunks_and_at_once_are_the_same() -> None:
    table = waves(30, 0, 30, 70)
    table["x"][0] = [None if t in (0, 5, 40) else value for t, value in enumerate(table["x"][0])]
    model, _, train = solved(table, "kind")
    steps = int(train.steps()[0])
    values = torch.from_numpy(train.inputs["x"].values[:steps])[None]  # (1, T, W)

    def one(begin: int, end: int) -> Batch:
        return Batch({"x": values[:, begin:end]}, torch.tensor([end - begin]), torch.zeros(1, dtype=torch.int64))

    whole, after = model.run(one(0, steps))
    state = model.initial_state(1)
    for begin, end in pairwise([0, 1, 3, 23, 23, steps]):
        outputs, state = model.run(one(begin, end), state)
    assert torch.equal(outputs, whole)
    assert all(torch.equal(a, b) for a, b in zip(state, after, strict=True))
    live = model.session()
    for step in values[0]:
        found = live.push({"x": step[None]})
        kept, _ = from_bytes(to_bytes(live.state), model.initial_state(1))
        live.state = RocketState(*kept)
    assert torch.equal(found, whole)


def test_padding_is_never_read_and_rows_do_not_touch_each_other() -> None:
    model, _, _ = solved(waves(30, 0), "kind")
    x, lengths = torch.randn(5, 50, 1), torch.tensor([50, 3, 17, 0, 33])

    def outputs(values: Tensor) -> Tensor:
        return model.run(Batch({"x": values}, lengths, torch.arange(5)))[0]

    spoiled = torch.where(torch.arange(50)[None, :, None] < lengths[:, None, None], x, torch.nan)
    assert torch.equal(outputs(x), outputs(spoiled))
    assert outputs(x).isfinite().all()
    for row, length in enumerate(lengths.tolist()):
        alone = Batch({"x": x[row : row + 1, :length]}, lengths[row : row + 1], torch.zeros(1, dtype=torch.int64))
        assert torch.equal(model.run(alone)[0][0], outputs(x)[row])


def test_no_answer_depends_on_what_comes_later() -> None:
    model, _, train = solved(waves(30, 0), "kind")
    x = torch.from_numpy(train.inputs["x"].values[:40])[None]
    other = x.clone()
    other[:, 30:] += 5
    early = torch.tensor([30])
    assert torch.equal(
        *(model.run(Batch({"x": one}, early, torch.zeros(1, dtype=torch.int64)))[0] for one in (x, other))
    )


def test_a_saved_one_is_the_same() -> None:
    model, task, train = solved(waves(30, 0), "kind")
    again = Rocket(task, Rocket.Options.check(model.options.model_dump(mode="json")))
    again.load_state_dict(model.state_dict())
    assert evaluate(again, task, train, CONFIG) == evaluate(model, task, train, CONFIG)
    with torch.device("meta"):
        assert Rocket(task, model.options).weight.shape == model.weight.shape
    second = Rocket.solve(task, train, Rocket.Options(), 0)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in second.state_dict().items())


@pytest.mark.parametrize("level", [1e30, 0.0])
def test_values_far_away_and_constant_series_give_finite_answers(level: float) -> None:
    table = waves(12, 0) | {"x": [[level] * 20] * 12}
    model, task, train = solved(table, "kind")
    assert np.isfinite(evaluate(model, task, train, CONFIG)["loss_nats_per_label"])


def test_rows_without_a_known_number_are_left_out() -> None:
    table = waves(30, 0)
    table["y"] = [None if row % 3 == 0 else float(kind == "quick") for row, kind in enumerate(table.pop("kind"))]
    model, task, train = solved(table, "y", "regress")
    assert evaluate(model, task, train, CONFIG)["r2"] > 0.5
