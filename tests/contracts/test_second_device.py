"""A trained model gives on another device the answers that it gives on the CPU, live and from a snapshot too."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.runs import RUNS
from second_device import second_device

from unrolled.runs import fit, outcome, plan, rivals, trained

SEVERAL = [
    "rows with dropout",
    "rolls in other keys",
    "labels together",
    "hidden tokens",
    "items, of which few are compared with",
    "windows that know a plan",
    "sequences of their own",
]


def close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def test_the_second_device_is_one() -> None:
    with second_device() as device:
        x = torch.ones(3).to(device)
        assert (x.device.type, (x * 2).sum().item(), x.cpu().device.type) == ("cuda", 6.0, "cpu")
        with pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
            x + torch.ones(3)
        with pytest.raises(TypeError, match="NumPy cannot read"):
            x.numpy()


@pytest.fixture
def any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trained, fit, outcome, plan, rivals):
        monkeypatch.setattr(module, "device_for", lambda asked: "cuda:0" if asked == "cuda" else asked)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.usefixtures("any_device")
def test_answers_and_metrics_are_the_same_there(name: str, tmp_path: Path) -> None:
    run = RUNS[name]
    model, some = run.fit(tmp_path / "run"), {column: cells[:3] for column, cells in run.data.items()}
    with second_device() as device:
        assert close(model.evaluate(some, device="cpu"), model.evaluate(some, device=device))
        one, other = (model.predict(some, device=place).to_pydict() for place in ("cpu", device))
        assert close(one, other)
        if model.task.name == "forecast":
            assert close(model.backtest(some, 2, device="cpu"), model.backtest(some, 2, device=device))
    assert next(model.network.parameters()).device.type == "cpu"


@pytest.mark.usefixtures("any_device")
def test_a_session_goes_on_elsewhere(tmp_path: Path) -> None:
    model = RUNS["lanes"].fit(tmp_path / "run")
    with second_device() as device:
        here, there = model.stream(device="cpu"), model.stream(device=device)
        for token in "ab":
            assert close(here.push(token), there.push(token))
        moved, back = model.stream(here.snapshot(), device=device), model.stream(there.snapshot(), device="cpu")
        wanted, *found = [session.push("c") for session in (here, there, moved, back)]
        assert all(close(wanted, answer) for answer in found)


@pytest.mark.usefixtures("any_device")
def test_training_ends_with_weights_on_the_cpu_that_were_judged_where_they_were_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, evaluate = [], outcome.evaluate

    def judge(network: Any, *rest: Any) -> dict[str, float]:
        places.append(next(network.parameters()).device.type)
        return evaluate(network, *rest)

    monkeypatch.setattr(outcome, "evaluate", judge)
    run = RUNS["rows in epochs"]
    here = run.fit(tmp_path / "here", test=0.2)
    with second_device(), monkeypatch.context() as patch:
        patch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
        there = run.fit(tmp_path / "there", test=0.2, device="cuda")
    assert places == sorted(places) and set(places) == {"cpu", "cuda"}  # each run judges on its own device
    assert next(there.network.parameters()).device.type == "cpu"
    assert close(here.metrics, there.metrics)
