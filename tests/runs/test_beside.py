"""Two runs on the same data: their losses add up, places are common, and what is of another kind is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.errors import DataError, UsageError
from unrolled.inspection.step_losses import RowLosses, losses_of_row, segments, shared_states
from unrolled.runs.beside import Beside, beside
from unrolled.runs.trained import Trained

QUICK: dict[str, Any] = {"start": "none", "blend": "none", "steps": 3, "quiet": True}
TEXT = {"text": ["the cat sat on the mat. ", "the dog sat on the log; ", "a cat ran after the dog. "] * 6}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    folder = tmp_path_factory.mktemp("beside")
    made = {
        "characters": {"model": "lstm", "hidden": 5, "tokens": "characters"},
        "gru": {"model": "gru", "hidden": 6, "layers": 2, "tokens": "characters", "steps": 40, "lr": 0.02},
        "bpe": {"model": "transformer", "hidden": 8, "tokens": "bpe", "vocabulary": 300},
        "bytes": {"model": "rnn", "hidden": 4, "tokens": "bytes"},
    }
    return {name: ur.fit(TEXT, out=folder / name, **{**QUICK, **options}) for name, options in made.items()}


def whole(model: Trained, rows: dict[str, list[str]]) -> float:
    """The sum of the losses over whole rows, as training counts it."""
    examples = model.encode(model.read(rows), target=True)
    steps = model.task.coder.form.plans.questions(examples.steps())
    batch = Loader(examples, Windows(np.arange(len(steps)), steps, int(steps.max()), len(steps)))[0]
    model.network.eval()
    with torch.no_grad():
        return float(model.task.loss(model.network.run(batch)[0], replace(batch, scored=None))[0])


@pytest.mark.parametrize("names", [("characters", "gru"), ("characters", "bpe"), ("bpe", "bytes"), ("gru", "gru")])
def test_the_differences_add_up_to_the_difference_of_their_losses(
    models: dict[str, Trained], names: tuple[str, str]
) -> None:
    ours, theirs = (models[name] for name in names)
    rows = {"text": TEXT["text"][:4]}
    found = beside(ours, theirs, ours.read(rows))
    expected = whole(ours, rows) - whole(theirs, rows)
    assert sum(one.ours - one.theirs for one in found.places) == pytest.approx(expected, rel=1e-6, abs=2e-5)
    assert found.total == pytest.approx(
        sum(one.ours for one in found.places) - sum(one.theirs for one in found.places), abs=1e-9
    )
    assert sum(one.ours for one in found.places) == pytest.approx(whole(ours, rows), rel=1e-6)
    assert found.unit == "character" and [one.row for one in found.places] == sorted(one.row for one in found.places)
    assert {one.came for one in found.places if one.end > len(rows["text"][one.row])} == {"<end>"}
    texts = ["".join(one.came for one in found.places if one.row == row) for row in range(4)]
    assert texts == [f"{text}<end>" for text in rows["text"]]
    if names == ("gru", "gru"):
        assert found.total == 0 and found.disagreements == ()
        assert found.verdicts[0].startswith("neither is surely better: over the same ")
        assert max(pair.cka for pair in found.layers) == pytest.approx(1)


def test_it_says_which_is_better_and_where_they_differ_most(models: dict[str, Trained]) -> None:
    ours, theirs = models["gru"], models["bpe"]
    found: Beside = beside(ours, theirs, ours.read(TEXT))
    assert found.other == str(theirs.folder)
    per = found.total / found.count
    surely = abs(found.total) > 2 * found.error
    word = ("is better" if per > 0 else "is worse") if surely else "neither is surely better"
    assert word in found.verdicts[0] and f"a difference of {per:+.2g} ± " in found.verdicts[0]
    assert found.verdicts[1].startswith("its reach: ") and found.verdicts[2].startswith("its context: ")
    sizes = [abs(one.ours - one.theirs) for one in found.disagreements]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 10
    assert all(one.expected is not None and one.expected[0] != one.expected[1] for one in found.disagreements)
    assert found.layers == ()  # a transformer shows no hidden states


def test_layers_are_compared_at_the_same_characters(models: dict[str, Trained]) -> None:
    found = beside(models["gru"], models["bytes"], models["gru"].read(TEXT))
    assert [(one.ours, one.theirs) for one in found.layers] == [
        ("layer 1, hidden state", "layer 1, hidden state"),
        ("layer 2, hidden state", "layer 1, hidden state"),
    ]
    assert all(0 < one.cka <= 1 for one in found.layers)
    assert "CKA compares where states lie, not what they do" in found.verdicts[3]
    row, options = ["the cat sat on the mat. "], [models[name] for name in ("gru", "bpe")]
    both = []
    for model in options:
        examples = model.encode(model.read({"text": row}), target=True)
        steps = model.task.coder.form.plans.questions(examples.steps())
        batch = Loader(examples, Windows(np.array([0]), steps, int(steps[0]), 1))[0]
        both.append(losses_of_row(model.network, model.task, batch))
    assert both[0].text == both[1].text == row[0] and len(both[1].losses) < len(both[0].losses) == len(row[0]) + 1
    mine, theirs = shared_states(*both)
    assert len(mine["layer 1, hidden state"]) == len({*both[0].reads} & {*both[1].reads}) and theirs == {}


def test_words_have_their_place_in_the_text_even_if_they_were_not_learned(
    models: dict[str, Trained], tmp_path: Path
) -> None:
    words = ur.fit(TEXT, out=tmp_path, model="gru", hidden=4, tokens="words", **QUICK)
    rows = {"text": ["the cat sat quietly on the mat. "]}
    for ours, theirs in ((words, models["characters"]), (models["bpe"], words)):
        found = beside(ours, theirs, ours.read(rows))
        assert "".join(one.came for one in found.places) == "the cat sat quietly on the mat. <end>"
        assert [one.came for one in found.places[:4]] == ["the", " cat", " sat", " quietly"]
        assert found.total == pytest.approx(whole(ours, rows) - whole(theirs, rows), abs=2e-5)


def test_one_answer_a_row(tmp_path: Path) -> None:
    data = {"text": ["good food", "bad food", "good wine", "bad wine"] * 10, "mood": ["happy", "sad"] * 20}
    ours = ur.fit(data, target="mood", out=tmp_path / "a", model="gru", hidden=4, **QUICK)
    theirs = ur.fit(data, target="mood", out=tmp_path / "b", model="window", hidden=4, **QUICK)
    found = beside(ours, theirs, ours.read(data))
    assert (found.unit, found.count) == ("row", 40) and [one.row for one in found.places] == list(range(40))
    assert {one.came for one in found.places} == {"happy", "sad"}
    assert all(one.expected is not None and {*one.expected} <= {"happy", "sad"} for one in found.places)
    series = ur.fit(TEXT, out=tmp_path / "c", model="gru", hidden=4, **QUICK)
    with pytest.raises(
        UsageError, match="against needs a model that is asked the same: the task of this one is classify"
    ):
        beside(ours, series, ours.read(data))


def test_tags_are_compared_step_by_step(tmp_path: Path) -> None:
    data = {"word": [["a", "b", "c"], ["b", "a"]] * 10, "tag": [["x", "y", "x"], ["y", "x"]] * 10}
    both = [ur.fit(data, target="tag", out=tmp_path / name, model=name, hidden=4, **QUICK) for name in ("gru", "rnn")]
    found = beside(*both, both[0].read(data))
    assert (found.unit, found.count) == ("step", 50)
    assert [one.came for one in found.places[:5]] == ["x", "y", "x", "y", "x"]


def test_numbers_are_compared_step_by_step(tmp_path: Path) -> None:
    data = {"x": [np.sin(np.arange(30) / 3 + at).tolist() for at in range(10)]}
    both = [
        ur.fit(data, task="next_step", out=tmp_path / name, model=name, hidden=4, **QUICK) for name in ("gru", "rnn")
    ]
    found = beside(*both, both[0].read(data))
    assert (found.unit, found.count) == ("step", 290) and found.places[0].expected is None
    assert float(found.places[0].came) == pytest.approx(data["x"][0][1], rel=1e-3)


def test_losses_in_other_units_are_not_compared(tmp_path: Path) -> None:
    rows = {"x": [[float(at), 1.0] for at in range(20)], "y": [float(at) for at in range(20)]}
    twice = {**rows, "y": [2 * one for one in rows["y"]]}
    both = [
        ur.fit(data, target="y", out=tmp_path / str(nth), model="gru", hidden=4, **QUICK)
        for nth, data in enumerate((rows, twice))
    ]
    found = beside(*both, both[0].read(rows))
    assert "step by step: their losses are in different units (mse_scaled, mse_scaled)" in found.verdicts[0]


def test_what_has_no_loss_of_a_step_says_so(tmp_path: Path) -> None:
    data = {"load": [[float(np.sin(t / 3)) for t in range(120)]]}
    both = [
        ur.fit(data, target="load", horizon=4, out=tmp_path / name, model=name, hidden=4, **QUICK)
        for name in ("gru", "rnn")
    ]
    found = beside(*both, both[0].read(data))
    assert found.places == () and found.verdicts[0].endswith(
        " cannot be set beside it step by step: only steps or rows that are judged one by one can be"
    )
    assert not isinstance(found.reach, str)


def test_texts_that_are_read_differently_are_refused() -> None:
    empty = np.zeros(0)
    a, b = (RowLosses(0, empty, empty, [], [], text, empty, {}) for text in ("the cat", "the dog"))
    with pytest.raises(DataError, match="do not read the same characters: 'cat' and 'dog' at character 4"):
        list(segments(a, b))


@pytest.mark.parametrize("task", ["tag", "classify"])
def test_rows_without_a_target_keep_their_numbers(tmp_path: Path, task: str) -> None:
    words = [["a", "b", "c", "b"], ["b", "a", "a", "c"], ["c", "c", "b", "a"]] * 4
    right = words if task == "tag" else [row[0] for row in words]
    options = {**QUICK, "target": "y", "task": task, "only": "none", "hidden": 4}
    models = [ur.fit({"x": words, "y": right}, model=name, out=tmp_path / name, **options) for name in ("rnn", "gru")]
    rows = {"x": words[:4], "y": [None, right[1], None, right[3]]}
    found = beside(*models, models[0].read(rows))
    assert sorted({one.row for one in found.places}) == [1, 3]
