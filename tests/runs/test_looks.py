"""Looks into a network that trains: what they see, that training does not notice them, and that they may fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from samples import SAMPLES
from torch import nn
from trainers import trainer, weights

from unrolled.runs import looks
from unrolled.runs.looks import Looks
from unrolled.training.hooks import Event
from unrolled.training.trainer import Trainer


def looking(one: Trainer, sample: str, log: list[Event]) -> Looks:
    assert one.valid is not None
    return Looks(one.network, one.task, one.averaged, one.valid, SAMPLES[sample].data, one.config, log.append)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at each logged step."""
    for name in ("_FIRST_STEPS", "_FIRST_SECONDS", "_APART", "_EVER_LESS"):
        monkeypatch.setattr(looks, name, 0)
    monkeypatch.setattr(looks, "_SHARE", 1e9)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("sample", ["classify", "next_step", "translate"])
def test_training_goes_on_as_if_nobody_had_looked(sample: str, tmp_path: Path) -> None:
    log: list[Event] = []
    plain, watched = (trainer(tmp_path / name, sample, steps=40) for name in ("plain", "watched"))
    watched.hooks = (looking(watched, sample, log),)
    ends = []
    for one in (plain, watched):
        for module in one.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.5  # so that each step draws numbers
        torch.manual_seed(1)
        one.run(until=40)
        ends.append(torch.rand(3))
    assert [event["step"] for event in log] == [20, 40]
    assert all(event["kind"] == "look" and event["gates"] and event["sample"] for event in log)
    assert torch.equal(*ends)
    found = weights(watched)
    assert all(torch.equal(weight, found[name]) for name, weight in weights(plain).items())


def test_a_sample_has_what_was_given_what_is_right_and_what_the_model_wrote(tmp_path: Path) -> None:
    one = trainer(tmp_path, "tag", steps=1)
    sample = looking(one, "tag", []).look()["sample"]
    data: Any = SAMPLES["tag"].data
    row = data.table.column("letters").to_pylist().index(sample["given"]["letters"])
    assert sample["right"] == data.table.column(one.task.coder.target)[row].as_py()
    assert len(sample["wrote"]) == len(sample["right"]) and set(sample["wrote"]) <= {"vowel", "other"}


def test_a_forecast_stands_beside_what_came_in_the_units_of_the_data(tmp_path: Path) -> None:
    one = trainer(tmp_path, "forecast", steps=1)
    sample = looking(one, "forecast", []).look()["sample"]
    data: Any = SAMPLES["forecast"].data
    series = data.table.column(one.task.coder.target).to_pylist()
    ahead = one.task.coder.horizon
    windows = [each[at : at + ahead] for each in series for at in range(len(each) - ahead + 1)]
    assert any(window == pytest.approx(sample["right"], rel=1e-3) for window in windows)
    assert len(sample["wrote"]) == ahead


def test_gates_are_shares_of_units_and_steps(tmp_path: Path) -> None:
    one = trainer(tmp_path, "classify", "lstm", steps=1)
    cell: Any = one.network.layer.layers[0][0]  # type: ignore[union-attr, index]
    hidden = cell.hidden_size
    with torch.no_grad():
        cell.bias_ih[hidden : hidden + 2] = 1e3  # two of the five forget gates are open at every step
        cell.bias_ih[3 * hidden :] = -1e3  # all output gates are closed
        one.average.restart()
    gates = looking(one, "classify", []).look()["gates"]
    assert gates["layer 1, forget gate"]["open"] == 0.4
    assert gates["layer 1, output gate"] == {"closed": 1.0, "open": 0.0}


def test_a_look_that_fails_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer(tmp_path, steps=1)
    one.network.train()

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(one.network, "run", broken)
    assert looking(one, "classify", []).look() == {"gates": {}, "sample": {}}
    assert one.network.training


def test_it_looks_ever_less_often_and_not_while_the_clock_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[Event] = []
    look = looking(trainer(tmp_path, steps=1), "classify", log)
    monkeypatch.setattr(look, "look", lambda: {"gates": {}, "sample": {}})

    def tell(step: int, seconds: float, progress: float | None = 0.1) -> None:
        look({"kind": "step", "step": step, "epoch": 0, "seconds": seconds, "progress": progress})

    tell(299, 100.0)
    tell(300, 4.9)
    tell(300, 100.0, None)
    look({"kind": "valid", "step": 300, "epoch": 0, "seconds": 100.0, "progress": 0.1})
    assert log == []
    for second in range(1, 86_400):
        tell(300 + second, float(second))
    assert [event["seconds"] for event in log[:3]] == [5, 15, 25]
    assert len(log) < 200
