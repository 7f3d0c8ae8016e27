from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from unrolled.errors import MissingExtra
from unrolled.training import hooks


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_each_event_is_a_line(tmp_path: Path) -> None:
    log = hooks.log_to(tmp_path / "metrics.jsonl")
    log({"kind": "step", "step": 1, "loss": 0.1})
    log({"kind": "valid", "step": 2, "loss": 1 / 3})
    assert lines(tmp_path / "metrics.jsonl") == [
        {"kind": "step", "step": 1, "loss": 0.1},
        {"kind": "valid", "step": 2, "loss": 1 / 3},
    ]


def test_a_resumed_run_drops_what_it_will_tell_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = hooks.log_to(path)
    for step in (20, 40, 60):
        log({"kind": "step", "step": step})
    with path.open("a") as file:
        file.write('{"kind": "step", "st')  # the process was killed as it wrote
    log = hooks.log_to(path, from_step=40)
    log({"kind": "step", "step": 60})
    assert [line["step"] for line in lines(path)] == [20, 40, 60]


def test_a_run_that_begins_again_drops_everything(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    hooks.log_to(path)({"kind": "step", "step": 0})
    hooks.log_to(path, from_step=-1)
    assert path.read_text() == ""


def test_tensorboard_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "tensorboard" else find(name, *a))
    with pytest.raises(MissingExtra, match=r"tensorboard needs tensorboard: pip install 'unrolled\[tensorboard\]'"):
        hooks.tensorboard_to(tmp_path)


def test_what_is_not_finite_is_null_in_the_log(tmp_path: Path) -> None:
    event = {
        "kind": "skipped",
        "step": 3,
        "loss": float("nan"),
        "norms": {"head": float("inf"), "layer": [1.0, float("nan")]},
    }
    hooks.log_to(tmp_path / "m.jsonl")(event)
    found = json.loads((tmp_path / "m.jsonl").read_text(), parse_constant=pytest.fail)
    assert found["loss"] is None and found["norms"] == {"head": None, "layer": [1.0, None]}


def test_a_long_training_logs_ever_less_often() -> None:
    logged = [step for step in range(1, 200_001) if hooks.logs(step)]
    assert logged[:3] == [20, 40, 60] and logged[999:1002] == [20_000, 20_040, 20_080]
    assert logged[1_500:1_502] == [40_080, 40_160]
    assert len(logged) == 1_000 + 3 * 500 + 125  # 20 000 steps, three doublings, and a quarter of the next
