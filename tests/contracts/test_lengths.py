"""Requirement 10: rows of no step, of one, and of very many, for every model and every verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configs import model_config

import unrolled as ur
from unrolled.errors import UsageError
from unrolled.layers.factory import build_layer, model_names
from unrolled.runs.trained import Trained

TEXTS = ["", "a", "abba", "b", "ab", "", "bbb", "a", "ba", "babab"] * 2
TABLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "classify": (
        {"text": TEXTS, "label": ["x", "y"] * 10},
        {"target": "label", "kinds": {"text": "tokens"}, "tokens": "characters"},
    ),
    "regress": (
        {"wave": [[0.5 * n for n in range(len(text))] for text in TEXTS], "size": [float(len(t)) for t in TEXTS]},
        {"target": "size"},
    ),
    "tag": (
        {"letters": [list(text) for text in TEXTS], "tags": [[c == "a" for c in text] for text in TEXTS]},
        {"target": "tags"},
    ),
    "next_step": ({"text": TEXTS}, {"kinds": {"text": "tokens"}, "tokens": "characters"}),
    "forecast": ({"wave": [[0.5 * n for n in range(length)] for length in (0, 1, 2, 5, 30)]}, {"horizon": 2, "lookback": 4}),
}  # fmt: skip


def causal(model: str) -> bool:
    return build_layer(model_config(name=model), 1).causal


_OF_EACH_KIND = ("bilstm", "mlp", "transformer", "window")
ASKED = [
    (task, model)
    for task in TABLES
    for model in model_names()
    if not (task == "next_step" and not causal(model))  # it has read what is asked for
    and (task != "regress" or model in _OF_EACH_KIND)  # it reads and pools as classify does
]


def trained(task: str, model: str, out: Path) -> tuple[Trained, dict[str, Any]]:
    data, options = TABLES[task]
    valid = 0 if task == "forecast" else 0.2
    asked = {"task": task, "model": model, "steps": 2, "hidden": 3, "batch": 8, "valid": valid, "plan": "fixed"}
    return ur.fit(data, out=out, **asked, **options), data


@pytest.mark.parametrize(("task", "model"), ASKED)
def test_rows_of_no_step_and_of_one(task: str, model: str, tmp_path: Path) -> None:
    one, data = trained(task, model, tmp_path / "run")
    assert all(value == value for value in one.evaluate(data).values())  # nothing is NaN
    short = {
        name: values[:2]
        for name, values in data.items()
        if task in ("forecast", "next_step") or name == next(iter(data))
    }
    answers = one.predict(short)
    assert answers.num_rows == 2
    if one.network.causal:
        live = one.stream()
        pushed = {"regress": 0.5, "forecast": 0.5}.get(task, "a")
        assert live.push(pushed)
    if task == "next_step":
        assert "".join(one.generate("", length=0)) == ""
        assert len("".join(one.generate("a", length=1))) <= 1


@pytest.mark.soak
@pytest.mark.parametrize("model", model_names())
def test_a_row_of_very_many_steps(model: str, tmp_path: Path, times: Callable[[int, int], int]) -> None:
    steps = times(2_100, 100_000)
    one, _ = trained("classify", model, tmp_path / "run")
    long = {"text": ["ab" * (steps // 2)], "label": ["x"]}
    (answer,) = one.predict(long).column("label_p_x").to_pylist()
    assert 0 < answer <= 1  # rounded to 1 where a state grows with its steps
    assert one.evaluate(long)
    task = "next_step" if causal(model) else "tag"
    many, _ = trained(task, model, tmp_path / task)
    data = (
        {"letters": [["a", "b"] * (steps // 2)], "tags": [[True, False] * (steps // 2)]}
        if task == "tag"
        else {"text": long["text"]}
    )
    assert many.evaluate(data)
    assert many.predict(data).num_rows == 1
    options = {"task": task, "model": model, "steps": 2, "hidden": 3, "valid": 0, "plan": "fixed", **TABLES[task][1]}
    if not many.network.causal:
        with pytest.raises(UsageError, match="trained in pieces of 128 steps"):
            ur.fit(data, out=tmp_path / "long", **options)
        return
    if many.describe().state_bytes_per_step:  # it would keep all that it has read
        with pytest.raises(
            UsageError, match="trained in pieces of 128 steps.* set attention_window, for example to 256"
        ):
            ur.fit(data, out=tmp_path / "long", **options)
        options["attention_window"] = 64
    again = ur.fit(data, out=tmp_path / "long", **options)
    assert all(value == value for value in again.evaluate(data).values())
