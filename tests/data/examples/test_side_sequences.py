"""Which columns of a row are its main sequence, and which are read beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from samples import sequences

from unrolled.batch import Side, lengths_of
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.live_row import LiveRow
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.form import BatchSettings, TargetForm
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.one import One
from unrolled.errors import DataError

WORDS = Preparation(tokens="words")
KINDS = {"title": "tokens", "body": "tokens"}
NEWS = {
    "title": ["so it goes", "no", "a b"],
    "body": ["so it goes on and on", "no way", ""],
    "topic": ["x", "y", "x"],
}


def fitted(columns: dict[str, Any], kinds: dict[str, str], target: str, form: TargetForm | None = None) -> Preprocessor:
    inputs = tuple(name for name in columns if name != target or (form is not None and form.continues))
    return Preprocessor.fit(sequences(columns, kinds), Roles(inputs, target, form or One()), WORDS)


def news() -> Preprocessor:
    return fitted(NEWS, {**KINDS, "topic": "category"}, "topic")


def test_the_longest_text_is_the_main_sequence_and_the_other_is_read_beside_it() -> None:
    coder = news()
    assert coder.sides == {"title": Side("title")}
    assert coder.specs["title"].side == Side("title")
    assert not coder.specs["title"].time
    assert coder.specs["body"].time
    assert coder.report("title") == "6 words, read on its own"
    assert coder.report("body") == "7 words"


def test_one_text_beside_numbers_is_as_it_ever_was() -> None:
    columns = {"text": ["a b", "c"], "age": [1.0, 2.0], "y": ["u", "v"]}
    coder = fitted(columns, {"text": "tokens", "age": "number", "y": "category"}, "y")
    assert coder.sides == {}
    assert "sides" not in coder.to_files()["coder.json"].decode()


def test_texts_are_never_aligned_by_chance() -> None:
    names = {"first": ["ann", "bo", "cy"], "last": ["lee", "poe", "fry"], "y": ["u", "v", "u"]}
    coder = fitted(names, {"first": "tokens", "last": "tokens", "y": "category"}, "y")
    assert set(coder.sides) == {"first"}
    later = sequences({"first": ["ann mary"], "last": ["van der poe"]}, {"first": "tokens", "last": "tokens"})
    assert coder.encode(later, with_target=False).steps().tolist() == [3]


def test_lists_with_equal_steps_in_every_row_stay_aligned_and_others_share_their_own_axis() -> None:
    columns = {
        "x": [[1.0, 2.0, 3.0], [1.0, 2.0]],
        "y": [[4.0, 5.0, 6.0], [7.0, 8.0]],
        "slow": [[1.0], [2.0]],
        "also_slow": [[3.0], [4.0]],
        "size": [1.0, 2.0],
    }
    coder = fitted(columns, dict.fromkeys(columns, "number"), "size")
    assert coder.sides == {"slow": Side("slow"), "also_slow": Side("slow")}


def test_labels_without_repetition_are_a_set_and_with_repetition_a_sequence() -> None:
    kinds = {"text": "tokens", "tags": "category", "steps": "category", "y": "category"}
    columns = {
        "text": ["so it goes on and on", "and it ends here"],
        "tags": [["p", "q"], ["q"]],
        "steps": [["u", "v", "u"], ["v", "v", "v"]],
        "y": ["s", "t"],
    }
    coder = fitted(columns, kinds, "y")
    assert coder.sides == {"tags": Side("tags", ordered=False), "steps": Side("steps")}
    assert coder.report("tags").endswith(", a set")


def test_lists_that_agree_in_nearly_every_row_are_refused_where_they_do_not() -> None:
    columns = {"x": [[1.0, 2.0, 3.0]] * 20, "y": [[1.0, 2.0, 3.0]] * 19 + [[1.0, 2.0]], "size": [1.0] * 20}
    train = sequences(columns, dict.fromkeys(columns, "number"))
    coder = Preprocessor.fit(train, Roles(("x", "y"), "size", One()), WORDS)
    with pytest.raises(DataError, match=r"sample.csv, row 20, column 'y': has 2 steps, but 'x' has 3"):
        coder.encode(train)


def test_what_is_aligned_is_decided_by_the_training_data() -> None:
    columns = {"x": [[1.0, 2.0], [3.0]], "y": [[1.0, 2.0], [3.0]], "size": [1.0, 2.0]}
    coder = fitted(columns, dict.fromkeys(columns, "number"), "size")
    later = sequences({"x": [[1.0, 2.0]], "y": [[1.0]]}, {"x": "number", "y": "number"})
    with pytest.raises(DataError, match=r"row 1, column 'y': has 1 step, but 'x' has 2"):
        coder.encode(later, with_target=False)


def test_beside_the_words_that_are_tagged_a_text_is_read_on_its_own() -> None:
    columns = {"about": ["a b c", "d"], "words": [["x", "y"], ["z"]], "tags": [["P", "Q"], ["P"]]}
    kinds = {"about": "tokens", "words": "tokens", "tags": "category"}
    assert fitted(columns, kinds, "tags", Aligned()).sides == {"about": Side("about")}


def test_beside_a_series_that_is_forecast_a_list_of_another_length_is_read_on_its_own() -> None:
    columns = {"load": [[1.0, 2.0, 3.0, 4.0]], "other": [[1.0, 2.0, 3.0, 4.0]], "sizes": [[5.0, 6.0]]}
    coder = fitted(columns, dict.fromkeys(columns, "number"), "load", Horizon(1))
    assert coder.sides == {"sizes": Side("sizes")}


def test_sides_are_saved_with_the_model() -> None:
    coder = news()
    assert Preprocessor.from_files(coder.to_files()).sides == coder.sides


def test_a_batch_holds_side_sequences_whole_and_a_row_with_a_title_alone_is_trained_on() -> None:
    examples = news().encode(sequences(NEWS, {**KINDS, "topic": "category"}))
    assert examples.steps().tolist() == [6, 2, 0]
    assert np.array_equal(examples.holds(), [True, True, True])
    plan = examples.form.plans.training(examples, BatchSettings(8, 0, None, 0, 0.0), 0)
    (batch,) = Loader(examples, plan)
    assert sorted(batch.rows.tolist()) == [0, 1, 2]
    order = batch.rows.argsort()
    assert batch.inputs["title"].shape == (3, 3)
    assert batch.inputs[lengths_of("title")][order].tolist() == [3, 1, 2]
    assert batch.lengths[order].tolist() == [6, 2, 0]


def test_a_live_row_takes_side_sequences_whole_with_its_first_step() -> None:
    coder = news()
    whole = coder.encode(sequences({n: NEWS[n][:1] for n in KINDS}, KINDS), with_target=False)
    row = LiveRow(coder)
    steps, after = row.encode({"title": "so it goes", "body": "so it"})
    assert [sorted(step) for step in steps] == [["body", "title", lengths_of("title")], ["body"]]
    assert np.array_equal(steps[0]["title"], whole.inputs["title"].values)
    assert steps[0][lengths_of("title")] == 3
    (third,), again = row.encode({"body": "goes"}, after)
    assert list(third) == ["body"]
    assert again == after
    assert list(row.encode({"title": "so it goes", "body": "on"}, after)[0][0]) == ["body"]
    with pytest.raises(DataError, match=r"column 'title': 'no' differs from that of the first step \(use one stream"):
        row.encode({"title": "no", "body": "on"}, after)
    with pytest.raises(DataError, match="title"):
        row.encode({"body": "on"})
