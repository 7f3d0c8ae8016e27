"""What a page says of a row: its symbols, its gates and states, what follows and what each step cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from looking import looked_at

import unrolled as ur
from unrolled.page.document import Section
from unrolled.runs.inspecting import Inspection
from unrolled.runs.trained import Trained
from unrolled.views.looked import WRITTEN, Looked
from unrolled.views.shown import shown
from unrolled.views.states import answer

TEXT = ["the cat sat on the mat 12", "the dog sat on the log 34"] * 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    own: dict[str, Any] = {"model": "lstm", "hidden": 6, "layers": 1, "steps": 3, "only": "none", "blend": "none"}
    return ur.fit({"text": TEXT}, tokens="characters", out=tmp_path_factory.mktemp("run") / "run", quiet=True, **own)


@pytest.fixture(scope="module")
def looked(model: Trained) -> Looked:
    found: Inspection = ur.inspect(model, {"text": TEXT[:1]})
    return Looked(task=model.task, trace=found.trace)


def by_title(sections: list[Section]) -> dict[str, dict[str, Any]]:
    return {each.title: each.data for each in sections}


def test_each_symbol_and_what_followed_it(looked: Looked) -> None:
    found = by_title(shown(looked))
    assert found["One unit over the row"]["tokens"] == ["<begin>", *TEXT[0]]
    following = found["What comes next"]
    assert following["came"] == [*TEXT[0], "<end>"]
    assert following["unit"] == "nats"
    outputs = looked.trace.outputs
    best = outputs.softmax(-1).max(-1)
    np.testing.assert_array_equal(following["chances"][:, 0], best.values.numpy())
    assert (np.diff(following["chances"], axis=1) <= 0).all()
    # Equally likely symbols may stand in either order.
    answer = looked.task.coder.answer
    for nth, row in zip(following["ids"][:, 0], outputs, strict=True):
        ids = (row == row.max()).nonzero().flatten().tolist()
        names = ["<end>" if one == answer.end else str(answer.decode(np.array([one]))) for one in ids]
        assert following["symbols"][nth] in names


def test_what_the_model_never_saw_is_marked_and_said(model: Trained) -> None:
    (row, *_) = shown(Looked(task=model.task, trace=model.trace({"text": ["the ☃at"]})))
    assert row.data["unseen"] == [5] and "1 step holds a symbol that was not seen in training" in row.body
    (row, *_) = shown(Looked(task=model.task, trace=model.trace({"text": ["the cat"]})))
    assert row.data["unseen"] == [] and row.body == ""


def test_every_gate_and_state_has_its_units(looked: Looked) -> None:
    quantities = {one["name"]: one for one in by_title(shown(looked))["All units over time"]["quantities"]}
    assert list(quantities) == [
        *("layer 1, input gate", "layer 1, forget gate", "layer 1, candidate", "layer 1, output gate"),
        *("layer 1, cell state (tanh)", "layer 1, hidden state"),
    ]
    cell = quantities["layer 1, cell state (tanh)"]["grid"].values
    np.testing.assert_array_equal(cell, torch.tanh(looked.trace["layer 1, cell state"]).numpy())
    assert [one["gate"] for one in quantities.values()] == [True, True, False, True, False, False]
    assert quantities["layer 1, forget gate"]["units"] == [0, 1, 2, 3, 4, 5]


def test_units_that_follow_something_are_kept_before_those_that_vary(model: Trained, looked: Looked) -> None:
    order = {"layer 1, cell state": [4, 1, 0, 2, 3, 5]}
    found = [("a bar", "layer 1, cell state", 4)]
    few = Looked(task=model.task, trace=looked.trace, units=2, first=order, found=found)
    data = by_title(shown(few))["One unit over the row"]
    assert all(one["units"] == [1, 4] for one in data["quantities"])
    assert data["found"] == [{"says": "a bar", "quantity": "layer 1, cell state (tanh)", "unit": 1}]


def test_the_units_that_vary_most_are_kept_under_their_own_numbers(model: Trained, looked: Looked) -> None:
    few = Looked(task=model.task, trace=looked.trace, units=2, found=[("a bar", "layer 1, hidden state", 0)])
    data = by_title(shown(few))
    one = next(one for one in data["All units over time"]["quantities"] if one["name"] == "layer 1, hidden state")
    values = looked.trace["layer 1, hidden state"].numpy()
    assert one["units"] == sorted(np.argsort(-values.var(0))[:2].tolist())
    np.testing.assert_array_equal(one["grid"].values, values[:, one["units"]])
    expected = [one["units"].index(0)] if 0 in one["units"] else []
    assert [each["unit"] for each in data["One unit over the row"]["found"]] == expected


def test_the_cost_of_each_step(looked: Looked) -> None:
    data = by_title(shown(looked))["Loss at each step"]
    assert looked.trace.loss is not None
    np.testing.assert_array_equal(data["loss"], looked.trace.loss.numpy())


def test_hidden_words_are_nowhere_in_the_page(model: Trained) -> None:
    found = ur.inspect(model, {"text": TEXT[:1]})
    assert r"\u003cbegin>" in found.to_html() and '"t","h","e"' in found.to_html()
    page = found.to_html(hide=True)
    for word in ("cat", "sat"):
        assert f'"{word}"' not in page
    assert not isinstance(found.why, str)
    explained = replace(found, why=replace(found.why, values=(1.0, 0.0), read=("t", "9")))
    why = next(one.body for one in explained.sections(hide=True) if one.title == "Why this answer")
    assert "&#x27;x&#x27; (+1)" in why and "&#x27;t&#x27;" not in why
    tokens = by_title(shown(Looked(task=model.task, trace=found.trace, hidden=True)))["One unit over the row"]["tokens"]
    assert "".join(tokens) == "<begin>xxx xxx xxx xx xxx xxx 00"


def test_the_gates_of_a_decoder_stand_over_what_it_writes() -> None:
    looked = looked_at("translate")
    (section,) = answer(looked)
    assert looked.batch.target is not None
    text = looked.task.coder.answer.decode(looked.batch.target[0, 1:-1].numpy())
    assert section.data["tokens"] == [*text, "<end>"] and section.group == WRITTEN
    names = [one["name"] for one in section.data["quantities"]]
    assert names == [
        f"decoder, lower, layer 1, {of}" for of in ("reset gate", "update gate", "candidate", "hidden state")
    ]
    state = looked.trace["decoder, lower, layer 1, hidden state"].numpy()
    np.testing.assert_array_equal(section.data["quantities"][-1]["grid"].values, state)
    assert not [*answer(looked_at("next_step"))]


def test_a_zero_that_was_scaled_is_a_zero(tmp_path: Path) -> None:
    rows = {"x": [[0.0, 10.9, 3.25, 0.0, 7.5] * 6] * 4, "y": [["a", "b", "c", "a", "b"] * 6] * 4}
    model = ur.fit(
        rows, target="y", model="gru", hidden=4, steps=1, only="none", blend="none", out=tmp_path / "run", quiet=True
    )
    tokens = by_title(shown(Looked(task=model.task, trace=model.trace(rows))))
    words = next(data["tokens"] for data in tokens.values() if "tokens" in data)
    assert {word.split(" · ")[0] for word in words} == {"0", "10.9", "3.25", "7.5"}
