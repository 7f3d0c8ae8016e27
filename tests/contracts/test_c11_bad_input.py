"""C11: bad input gets a typed error that names file, row, column or shape, and what to do; nothing saved is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from contracts.runs import RUNS

import unrolled as ur
from unrolled.errors import DataError, UnrolledError, UsageError
from unrolled.runs.trained import Trained

NAN = float("nan")
TEXTS = ["the food was good", "never again", "good", "bad food", "so so", "fine"]
LABELS = ["pos", "neg", "pos", "neg", "neg", "pos"]
GOOD: dict[str, Any] = {"text": TEXTS, "label": LABELS}
WAVE: dict[str, Any] = {"x": [[float(n % 5) for n in range(30)]]}


def written(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


# In memory: what is wrong -> (data, options, class, message).
BAD: dict[str, tuple[Any, dict[str, Any], type[UnrolledError], str]] = {
    "no such target": (GOOD, {"target": "lable"}, DataError, r"your data, column 'lable': there is no such column \(Did you mean 'label'\?"),
    "no such input": (GOOD, {"target": "label", "inputs": ["txt"]}, DataError, r"column 'txt': there is no such column \(Did you mean 'text'"),
    "no such column to ignore": (GOOD, {"target": "label", "ignore": ["txt"]}, DataError, "column 'txt': there is no such column to ignore"),
    "no such column to group by": (GOOD, {"target": "label", "by": "id"}, DataError, "column 'id': there is no such column"),
    "the target as an input": (GOOD, {"target": "label", "inputs": ["label"]}, UsageError, "'label' is the target, so it cannot be an input as well"),
    "nothing to learn from": ({"label": LABELS}, {"target": "label"}, DataError, "the target is the only column"),
    "one class only": ({**GOOD, "label": ["pos"] * 6}, {"target": "label"}, DataError, "column 'label': has only one class"),
    "a target that is all null": ({**GOOD, "label": [None] * 6}, {"target": "label"}, DataError, "column 'label': is left out: it is empty"),
    "a number that is NaN": ({"x": [1.0, 2.0, NAN, 4.0], "y": [1.0] * 3 + [2.0]}, {"target": "y"}, DataError, r"your data, row 3, column 'x': the value is NaN \(correct it, leave the cell empty, or treat NaN as missing: missing impute"),
    "a number that is infinite": ({"x": [1.0, 2.0, 3.0, float("inf")], "y": [1.0, 2.0, 3.0, 4.0]}, {"target": "y", "task": "regress"}, DataError, "row 4, column 'x': the value is infinite"),
    "a target that is NaN": ({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.5, NAN, 2.5, 3.5]}, {"target": "y"}, DataError, "row 2, column 'y': the value is NaN"),
    "tags of unequal length": ({"a": [["x", "y"]] * 6, "t": [["p", "q"]] * 5 + [["p"]]}, {"target": "t", "task": "tag"}, DataError, "your data, row 6, column 't': 1 label for 2 steps"),
    "texts to forecast": ({"text": TEXTS}, {"horizon": 2, "target": "text"}, DataError, "column 'text': is tokens, not a number for each step"),
    "a horizon beyond the end": ({"x": [[1.0, 2.0, 3.0]]}, {"horizon": 9}, DataError, "the series has 3 steps, so it holds no forecast of 9 steps"),
    "nothing to validate on": ({"x": [[1.0] * 6]}, {"horizon": 3}, DataError, "the longest series has 6 steps with a known target, but to forecast 3 steps takes 7"),
    "a single row": ({"text": ["good"], "label": ["pos"]}, {"target": "label", "kinds": {"label": "category"}}, DataError, "has only one class"),
    "a single row to split": ({"x": [1.0], "y": [2.0]}, {"target": "y"}, DataError, "your data: has only one row, so no rows can be held out"),
    "texts of one token": ({"text": ["", "", ""]}, {"tokens": "bytes", "valid": 0.4}, DataError, "no text has two characters or more, so none can be split by time"),
    "no forecast without a horizon": (WAVE, {"task": "forecast"}, UsageError, "the task 'forecast' needs horizon, the number of steps"),
    "an unknown option": (GOOD, {"target": "label", "hiden": 3}, UsageError, r"unknown option hiden. Did you mean hidden\?"),
    "an unknown task": (GOOD, {"target": "label", "task": "clasify"}, UsageError, r"there is no task 'clasify'. Did you mean 'classify'\?"),
    "an unknown model": (GOOD, {"target": "label", "model": "lstn"}, UsageError, r"there is no model 'lstn'. Did you mean 'lstm'\?"),
    "an unknown kind": (GOOD, {"target": "label", "kinds": {"text": "txt"}}, UsageError, "unknown kind 'txt' for column 'text'"),
    "an unknown device": (GOOD, {"target": "label", "device": "tpu"}, UsageError, "device must be 'auto', 'cpu' or 'cuda', got 'tpu'"),
    "a size beyond reason": (GOOD, {"target": "label", "hidden": 10**9}, UsageError, "hidden must be at most"),
    "a negative rate": (GOOD, {"target": "label", "lr": -1}, UsageError, "lr must be above 0, got -1"),
    "a share beyond 1": (GOOD, {"target": "label", "valid": 1.5}, UsageError, "1.5 is neither a share, at least 0 and below 1, nor a file"),
    "heads that do not divide": (GOOD, {"target": "label", "model": "transformer", "hidden": 64, "heads": 5}, UsageError, "heads = 5 does not divide the hidden size 64: choose 4 or 8"),
    "key heads that do not divide": (GOOD, {"target": "label", "model": "bitransformer", "hidden": 64, "heads": 8, "kv_heads": 3}, UsageError, "kv_heads = 3 does not divide 8 heads: choose 2 or 4"),
    "heads that nothing has": (GOOD, {"target": "label", "model": "lstm", "heads": 2}, UsageError, "heads only works with the model 'bitransformer' or 'deltanet' or 'transformer'; this run's model is 'lstm'."),
    "a pool of steps that all answer": ({"text": TEXTS * 2}, {"pool": "mean"}, UsageError, "pool only works with one answer per row; this task has one per step"),
    "an encoder that is to write": ({"text": TEXTS * 2}, {"model": "bitransformer"}, UsageError, "the model 'bitransformer' reads each sequence in both directions, so it would see the next step"),
    "a file that is not there": (GOOD, {"target": "label", "test": "never.csv"}, DataError, "never.csv: there is no such file"),
    "windows that do not fit": (RUNS["lanes"].data, {"bptt": 4, "bptt_gradient": 6}, UsageError, r"bptt_gradient must be a multiple of bptt \(4\), not 6"),
    "saving now and then": (GOOD, {"target": "label", "checkpoint_every": "often"}, UsageError, "checkpoint_every must be steps, such as 50, or seconds, such as 30s, not 'often'"),
    "reading the answer": ({"text": TEXTS * 2}, {"model": "bigru"}, UsageError, "the model 'bigru' reads each sequence in both directions, so it would see the next step"),
    "both directions in pieces": (RUNS["lanes of labels"].data, {"target": "tags", "model": "bilstm", "bptt": 5}, UsageError, "trained in pieces of 5 steps"),
    "labels together in pieces": (RUNS["labels together"].data, {"target": "tags", "crf": True, "bptt": 5}, UsageError, "crf labels whole sequences, but these sequences are trained in pieces of 5 steps"),
    "no labels to choose together": (GOOD, {"target": "label", "crf": True}, UsageError, "crf only works with the task 'tag'; this run's task is 'classify'."),
    "sounds where there are none": (GOOD, {"target": "label", "audio_deltas": 1}, UsageError, "audio_deltas only works with columns of kind 'audio'; this run has columns of kind 'category' or 'tokens'."),
    "pictures where there are none": (GOOD, {"target": "label", "image_size": "8"}, UsageError, "image_size only works with columns of kind 'image' or 'video'"),
    "words where there are none": (WAVE, {"horizon": 2, "tokens": "words"}, UsageError, "tokens only works with columns of kind 'tokens'"),
    "a history that nothing is trained on": (GOOD, {"target": "label", "lookback": 4}, UsageError, "lookback only works with the task 'forecast'; this run's task is 'classify'."),
    "a gap without an order": (GOOD, {"target": "label", "gap": "30m"}, UsageError, "gap needs order, the column that holds the time of each step"),
    "a number for each step to regress": ({"x": [[1.0], [2.0]], "y": [[1.0], [2.0]]}, {"target": "y", "task": "regress"}, UsageError, "the task 'regress' needs one number per row, but 'y' has one per step"),
    "a word to regress": (GOOD, {"target": "label", "task": "regress"}, UsageError, "the task 'regress' needs a numeric target, but 'label' is category"),
    "dates alone": ({"day": [__import__("datetime").date(2024, 1, 1)] * 3}, {}, DataError, "no column is left to learn from: 'day' holds dates or times"),
    "nothing at all": ({"text": []}, {}, DataError, "your data: "),
    "no keys to transpose": (GOOD, {"target": "label", "transpose": 2}, UsageError, "transpose only works with 88-key piano rolls and note events; this data has neither"),
    "no frames to hide parts of": (GOOD, {"target": "label", "spec_augment": True}, UsageError, "spec_augment only works with inputs that have numbers for each step; this data has none"),
    "no data": (42, {}, UsageError, "42|int"),
}  # fmt: skip

# In files: what is wrong -> (name, contents, options, class, message).
FILES: dict[str, tuple[str, bytes, dict[str, Any], type[UnrolledError], str]] = {
    "an empty file": ("a.csv", b"", {"target": "y"}, DataError, "a.csv: is empty"),
    "a header alone": ("a.csv", b"x,y\n", {"target": "y"}, DataError, "a.csv"),
    "a ragged row": ("a.csv", b"x,y\n1,2\n3\n", {"target": "y"}, DataError, "a.csv, row 2: has 1 cell, but the header has 2"),
    "a byte of Latin-1": ("a.csv", "text,y\ncafé,1\nthé,0\n".encode("latin-1"), {"target": "y"}, DataError, "a.csv.*text_encoding latin-1"),
    "a byte of Latin-1 in a text": ("a.txt", "café\nthé\n".encode("latin-1"), {"rows_are": "lines"}, DataError, "a.txt.*text_encoding latin-1"),
    "a suffix that says nothing": ("a.dat", b"x", {}, DataError, "a.dat: its suffix '.dat' does not name a known format, and its content does not show one"),
    "a truncated parquet file": ("a.parquet", b"PAR1\0\0", {}, DataError, "a.parquet: "),
    "a token without its label": ("a.conll", b"a\tO\nb\n", {"target": "tags"}, DataError, "a.conll: line 2 has 1 field, but line 1 has 2"),
    "half a line of JSON": ("a.jsonl", b'{"x": 1}\n{"x": \n', {}, DataError, "a.jsonl, row 2"),
}  # fmt: skip


def fit(data: Any, options: dict[str, Any], out: Path, **more: Any) -> Trained:
    return ur.fit(data, out=out, **{"steps": 2, "hidden": 3, **options}, **more)


@pytest.mark.parametrize("name", BAD)
def test_bad_data_and_options_are_named_and_leave_nothing(name: str, tmp_path: Path) -> None:
    data, options, kind, message = BAD[name]
    with pytest.raises(kind, match=message) as caught:
        fit(data, options, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_out_must_be_on_or_off_as_in_training(tmp_path: Path) -> None:
    keys = [[[0, 1], [1, 0], [1, 1]]] * 4
    held_out = written(tmp_path, "held.jsonl", b'{"keys": [[0, 1]]}\n{"keys": [[1, 1], [0, 0.5]]}\n')
    with pytest.raises(
        DataError, match=r"held.jsonl, row 2, column 'keys': the value is 0.5, but every training value was 0 or 1"
    ):
        fit({"keys": keys}, {"valid": held_out}, tmp_path / "run")


@pytest.mark.parametrize("name", FILES)
def test_bad_files_are_named(name: str, tmp_path: Path) -> None:
    file, contents, options, kind, message = FILES[name]
    with pytest.raises(kind, match=message):
        fit(written(tmp_path, file, contents), options, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name", ["a number that is NaN", "an unknown model", "windows that do not fit", "nothing to validate on"]
)
def test_what_was_saved_before_is_not_lost(name: str, tmp_path: Path) -> None:
    """Not even by --overwrite: the run that was there gives way to one that works, and to no other."""
    fit(GOOD, {"target": "label"}, tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    data, options, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        fit(data, options, tmp_path / "run", overwrite=True)
    with pytest.raises(UsageError, match="run exists already"):
        fit(GOOD, {"target": "label"}, tmp_path / "run")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    fit(GOOD, {"target": "label", "hidden": 4}, tmp_path / "run", overwrite=True)
    assert ur.load(tmp_path / "run").config.model.hidden == 4


# --- a trained model met with other data: requirement 13 ----------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    data = {**GOOD, "stars": [5, 1, 4, 2, 3, 4], "city": ["a", "b", "a", "b", "a", "b"]}
    folder = tmp_path_factory.mktemp("model") / "run"
    return fit(data, {"target": "label", "kinds": {"text": "tokens", "city": "category"}}, folder)


def test_words_and_labels_that_are_new_are_answered(model: Trained) -> None:
    answers = model.predict({"text": ["Ωmega 🦉", ""], "stars": [9, 9], "city": ["elsewhere", None]})
    assert len(answers) == 2
    assert all(label in ("pos", "neg") for label in answers.column("label_predicted").to_pylist())
    assert all(0 <= p <= 1 for p in answers.column("label_p_pos").to_pylist())


def test_columns_that_are_new_are_left_alone(model: Trained) -> None:
    answers = model.predict({"extra": ["x"], "text": ["good"], "stars": [4], "city": ["a"], "day": [None]})
    assert answers.column_names[:5] == ["extra", "text", "stars", "city", "day"]


def test_a_column_that_is_missing_is_named(model: Trained) -> None:
    with pytest.raises(
        DataError, match="^the model reads the column 'city', which your data lacks; it has: text, stars$"
    ):
        model.predict({"text": ["good"], "stars": [4]})
    with pytest.raises(
        DataError, match="^the model answers the column 'label', which your data lacks; it has: text, stars, city$"
    ):
        model.evaluate({"text": ["good"], "stars": [4], "city": ["a"]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ["great", "pos"]}, r"your data, row 1, column 'label': the label 'great' was not seen in training"),
        ({"stars": ["many", "4"]}, "row 1, column 'stars': "),
        ({"stars": [1.0, NAN]}, "row 2, column 'stars': the value is NaN"),
        ({"text": [3, 4]}, "column 'text': holds int64, where texts are expected"),
        ({"label": [None, None]}, "column 'label': "),
    ],
)
def test_a_value_that_does_not_fit_is_named(model: Trained, change: dict[str, Any], message: str) -> None:
    good = {"text": ["good", "bad"], "stars": [4, 1], "city": ["a", "b"], "label": ["pos", "neg"]}
    with pytest.raises(DataError, match=message):
        model.evaluate({**good, **change})


def test_an_answer_does_not_take_the_name_of_a_column(model: Trained) -> None:
    again = model.predict({"text": ["good"], "stars": [4], "city": ["a"]})
    with pytest.raises(
        DataError, match="column 'label_predicted': is there already, so a prediction cannot have this name"
    ):
        model.predict(again)


def test_a_file_that_is_not_there_is_no_text(model: Trained) -> None:
    with pytest.raises(DataError, match=r"reviws.csv: there is no such file \(give a path, or a list of texts\)"):
        model.predict("reviws.csv")


def test_no_rows_get_no_answers(model: Trained) -> None:
    with pytest.raises(DataError, match="your data: "):
        model.predict({"text": [], "stars": [], "city": []})


def test_what_this_model_cannot_do_is_said(model: Trained) -> None:
    with pytest.raises(
        UsageError,
        match="generate only works with the task 'next_step' on texts or piano rolls; this model's task is 'classify' on category",
    ):
        model.generate("good")


def test_an_error_is_json_too(model: Trained) -> None:
    with pytest.raises(DataError) as caught:
        model.evaluate({"text": ["a"], "stars": [1], "city": ["a"], "label": ["great"]})
    details = json.loads(json.dumps(caught.value.details()))
    assert (details["file"], details["row"], details["column"]) == ("your data", 1, "label")
