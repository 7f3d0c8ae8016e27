from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unrolled import api
from unrolled.errors import UsageError
from unrolled.runs.findings import Findings
from unrolled.runs.refitting import with_weights

TEXTS = ["ab" * n + "cd"[n % 2] * 5 for n in range(3, 27)]
ROWS = {"text": TEXTS, "label": ["no", "yes"] * 12}


def fitted(data: dict[str, Any], out: Path, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    small = {"steps": 8, "hidden": 4, "device": "cpu", "tokens": "characters", "overwrite": True}
    return api.fit(data, out=out, hooks=(seen.append,), **{**small, **options}), seen


def refits(seen: list[dict[str, Any]]) -> bool:
    return next(event["refit"] for event in seen if event["kind"] == "fall")


def test_few_answers_and_the_end_of_texts_are_learned_but_never_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    few = {"target": "label"}
    assert refits(fitted(ROWS, tmp_path / "run", **few)[1])
    assert not refits(fitted(ROWS, tmp_path / "run", **few, refit="no")[1])
    file = tmp_path / "valid.csv"
    file.write_text("text,label\nabc,yes\nabd,no\n")
    assert not refits(fitted(ROWS, tmp_path / "run", **few, valid=str(file))[1])
    assert not refits(fitted(ROWS, tmp_path / "run", **few, valid=0)[1])
    monkeypatch.setattr("unrolled.runs.refitting._FEW", 5)
    assert not refits(fitted(ROWS, tmp_path / "run", **few)[1])
    assert refits(fitted(ROWS, tmp_path / "run", **few, refit="yes")[1])
    assert refits(fitted({"text": TEXTS[:1]}, tmp_path / "run")[1])  # one text, of which the end is held out


@pytest.mark.parametrize("valid", ["file", 0])
def test_what_is_not_held_out_cannot_be_learned(valid: Any, tmp_path: Path) -> None:
    file = tmp_path / "valid.csv"
    file.write_text("text,label\nabc,yes\nabd,no\n")
    with pytest.raises(UsageError, match=r"refit yes only works with validation data that is held out"):
        fitted(ROWS, tmp_path / "run", target="label", refit="yes", valid=str(file) if valid else valid)


def test_weights_are_lent() -> None:
    network, other = nn.Linear(2, 1), nn.Linear(2, 1)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with with_weights(network, other.state_dict()):  # type: ignore[arg-type]
        assert torch.equal(network.weight, other.weight)
    with with_weights(network, None):  # type: ignore[arg-type]
        assert torch.equal(network.weight, own["weight"])


def test_what_the_figures_are_of_is_said_and_saved() -> None:
    found = Findings(kept=(300, 400), refit=100)
    (said,) = found.sentences("valid")
    assert said.startswith("These are the figures of step 300 of 400. After them the model learned from this split too")
    assert Findings.from_json(found.to_json()) == found
    earlier = {name: value for name, value in found.to_json().items() if name != "refit"}
    assert Findings.from_json(earlier).sentences("valid") == ["The weights of step 300 of 400 were kept."]
