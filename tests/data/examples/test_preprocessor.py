from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from samples import SAMPLES, sequences

from unrolled.batch import Continuous, Discrete
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.free import Free
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.errors import DataError, ModelError

SERIES = sequences({"a": [[1.0, 3.0], [5.0]], "b": [[0.0, 2.0], [4.0]]}, {"a": "number", "b": "number"})
JOINED = Roles(("series",), "series", Horizon(1), joined=("a", "b"))


def fit(data: Sequences, roles: Roles, tokens: Any = None) -> Preprocessor:
    return Preprocessor.fit(data, roles, Preparation(tokens=tokens or "characters"))


def texts(rows: list[str], labels: list[str | None] | None = None) -> Sequences:
    columns: dict[str, Any] = {"text": rows} | ({"label": labels} if labels else {})
    return sequences(columns, {"text": "tokens"} | ({"label": "category"} if labels else {}))


# --- fitting and encoding ----------------------------------------------------------------------------------------


def test_inputs_stand_in_the_order_of_the_question() -> None:
    data = sequences({"y": [1.0, 2.0], "b": [0.0, 1.0], "a": [2.0, 2.5]}, {"y": "number", "b": "number", "a": "number"})
    coder = fit(data, Roles(("a", "b"), "y", One()))
    examples = coder.encode(data)
    assert list(coder.inputs) == list(examples.inputs) == list(examples.specs) == ["a", "b"]
    assert examples.form == One()
    assert examples.target is not None
    assert examples.target.values.tolist() == [[-1], [1]]


def test_a_target_is_closed_and_an_input_is_open() -> None:
    train = texts(["ab", "ba"], ["x", "y"])
    coder = fit(train, Roles(("text",), "label", One()))
    assert coder.encode(texts(["c"], ["x"])).inputs["text"].values.tolist() == [0]  # <unknown>
    with pytest.raises(DataError, match=r"sample.csv, row 1, column 'label': the label 'z' was not seen in training"):
        coder.encode(texts(["c"], ["z"]))


def test_a_label_that_is_twice_in_a_cell_is_once_in_its_set() -> None:
    cells = [["b", "a", "b"], [], ["c", "c"], ["a"]]
    data = sequences({"x": [1.0, 2.0, 3.0, 4.0], "labels": cells}, {"x": "number", "labels": "category"})
    target = fit(data, Roles(("x",), "labels", Set())).encode(data).target
    assert target is not None and target.offsets is not None
    rows = np.split(target.values, target.offsets[1:-1])
    assert [row.tolist() for row in rows] == [[0, 1], [], [2], [0]]
    assert target.values.dtype == np.uint8
    aligned = sequences({"x": [[1.0, 2.0, 3.0]], "labels": [cells[0]]}, {"x": "number", "labels": "category"})
    steps = fit(aligned, Roles(("x",), "labels", Aligned())).encode(aligned).target
    assert steps is not None and steps.values.tolist() == [1, 0, 1]


def test_what_is_unknown_is_said_of_the_target_too() -> None:
    data = sequences({"a": ["x y"], "b": ["u v"]}, {"a": "tokens", "b": "tokens"})
    coder = fit(data, Roles(("a",), "b", Free()), "words")
    other = sequences({"a": ["x y"], "b": ["u w w w"]}, {"a": "tokens", "b": "tokens"})
    assert coder.notes(data, coder.encode(data)) == []
    assert coder.notes(other, coder.encode(other)) == ["b: 75.00% of the words are rare, or were not seen in training"]
    assert coder.notes(other, coder.encode(other, with_target=False)) == []


def test_only_a_text_that_is_continued_is_framed() -> None:
    data = texts(["ab"])
    continued = fit(data, Roles(("text",), "text", Next()), "characters").encode(data)
    assert continued.inputs["text"].values.tolist() == [1, 3, 4, 2]
    assert continued.target is not None
    assert continued.target.values.tolist() == [1, 3, 4, 2]
    labelled = texts(["ab"], ["x"])
    read = fit(labelled, Roles(("text",), "label", One()), "characters").encode(labelled)
    assert read.inputs["text"].values.tolist() == [3, 4]


def test_a_kind_of_the_question_overrules_the_inferred_one() -> None:
    data = sequences({"x": [1.0, 2.0], "y": [3, 4]}, {"x": "number", "y": "number"})
    coder = fit(data, Roles(("x",), "y", One(), {"y": "category"}))
    assert coder.answer.kind == "category"
    assert isinstance(coder.answer_spec, Discrete)


def test_numeric_columns_are_joined_to_channels() -> None:
    coder = fit(SERIES, JOINED)
    examples = coder.encode(SERIES)
    assert (examples.horizon, examples.form, coder.continues) == (1, Horizon(1), True)
    assert coder.answer is coder.inputs["series"]
    assert coder.answer.channels == ["a", "b"]  # type: ignore[attr-defined]
    assert examples.inputs["series"].values.shape == (3, 2)
    assert examples.inputs["series"].offsets is not None
    assert examples.inputs["series"].offsets.tolist() == [0, 2, 3]


def test_one_numeric_column_may_be_joined_under_its_own_name() -> None:
    coder = fit(SERIES, Roles(("a",), "a", Next(), joined=("a",)))
    assert coder.answer.channels == ["a"]  # type: ignore[attr-defined]
    assert coder.encode(SERIES).inputs["a"].values.shape == (3, 1)


def test_a_missing_value_is_flagged_for_the_network_and_not_scored() -> None:
    data = sequences({"a": [[1.0, None, 3.0]]}, {"a": "number"})
    coder = fit(data, Roles(("a",), "a", Next(), joined=("a",)))
    examples = coder.encode(data)
    assert examples.specs["a"] == Continuous(3)
    np.testing.assert_allclose(examples.inputs["a"].values, [[-1, 0, 0], [0, 1, np.log(2)], [1, 0, 0]], rtol=1e-6)
    assert examples.target_spec == Continuous(1)
    assert examples.target is not None
    assert np.isnan(examples.target.values).tolist() == [[False], [True], [False]]
    assert not np.isnan(examples.inputs["a"].values).any()


def test_what_may_be_asked_begins_where_the_split_does() -> None:
    data = Sequences(SERIES.table, SERIES.kinds, first=np.array([1, 0]))
    first = fit(SERIES, JOINED).encode(data).first
    assert first is not None
    assert first.tolist() == [1, 0]


def test_without_its_target_a_table_can_be_answered() -> None:
    coder = fit(texts(["ab", "ba"], ["x", "y"]), Roles(("text",), "label", One()))
    assert coder.encode(texts(["ab"]), with_target=False).target is None
    with pytest.raises(DataError, match="^the model answers the column 'label', which .* lacks; it has: text$"):
        coder.encode(texts(["ab"]))


def test_a_missing_input_column_is_named() -> None:
    coder = fit(texts(["ab", "ba"], ["x", "y"]), Roles(("text",), "label", One()))
    other = sequences({"txet": ["ab"]}, {"txet": "tokens"}, "new.csv")
    message = r"^the model reads the column 'text', which new.csv lacks; it has: txet \(did you mean 'txet'\?\)$"
    with pytest.raises(DataError, match=message):
        coder.encode(other, with_target=False)


def test_columns_of_different_lengths_name_the_row_of_the_file() -> None:
    data = sequences(
        {"a": [[1.0], [1.0, 2.0]], "b": [[1.0], [1.0]], "y": [1.0, 2.0]}, dict.fromkeys("aby", "number"), "pairs.jsonl"
    )
    coder = fit(data.take(np.array([0])), Roles(("a", "b"), "y", One()))
    with pytest.raises(DataError, match=r"pairs.jsonl, row 2, column 'b': has 1 step, but 'a' has 2 \(columns with"):
        coder.encode(data.take(np.array([1])))


def test_an_aligned_target_has_a_label_for_each_step() -> None:
    sample = SAMPLES["tag"]
    coder = sample.ask().coder
    ragged = sequences({"letters": [["a", "b"]], "tags": [["vowel"]]}, sample.data.kinds)
    with pytest.raises(DataError, match=r"row 1, column 'tags': has 1 step, but 'letters' has 2"):
        coder.encode(ragged)


def test_large_results_lie_in_the_cache(tmp_path: Path) -> None:
    data = texts(["ab" * 10])
    coder = fit(data, Roles(("text",), "text", Next()), "characters")
    small = coder.encode(data)
    cached = coder.encode(data, cache=tmp_path / "cache" / "train")
    assert np.array_equal(small.inputs["text"].values, cached.inputs["text"].values)


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_a_coder_comes_back_from_its_files(name: str) -> None:
    sample = SAMPLES[name]
    coder = sample.ask().coder
    files = coder.to_files()
    again = Preprocessor.from_files(files)
    assert again.to_files() == files
    assert (again.target, again.form, again.horizon, again.joined) == (
        coder.target,
        coder.form,
        coder.horizon,
        coder.joined,
    )
    ours, theirs = coder.encode(sample.data), again.encode(sample.data)
    assert ours.specs == theirs.specs
    for column, encoded in ours.inputs.items():
        assert np.array_equal(encoded.values, theirs.inputs[column].values)
    assert ours.target is not None
    assert theirs.target is not None
    assert np.array_equal(ours.target.values, theirs.target.values, equal_nan=ours.target.values.dtype.kind == "f")


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: files.pop("coder.json"),
        lambda files: files.pop("column-0.json"),
        lambda files: files.update({"coder.json": b"{"}),
        lambda files: files.update({"coder.json": b"[]"}),
        lambda files: files.update({"coder.json": b"[" * 100_000}),
        lambda files: files.update({"column-0.json": b'{"kind": "tokens"}'}),
        lambda files: files.update({"coder.json": changed(files, "kinds", {"text": "os.system", "label": "category"})}),
        lambda files: files.update({"coder.json": changed(files, "target", "other")}),
        lambda files: files.update({"coder.json": changed(files, "form", "nonsense")}),
        lambda files: files.update({"coder.json": changed(files, "horizon", "3")}),
        lambda files: files.update({"coder.json": changed(files, "inputs", ["label", "txt"])}),
    ],
)
def test_files_that_are_not_ours_are_a_model_error(damage: Any) -> None:
    files = fit(texts(["ab", "ba"], ["x", "y"]), Roles(("text",), "label", One())).to_files()
    damage(files)
    with pytest.raises(ModelError, match="encoding"):
        Preprocessor.from_files(files)


def changed(files: dict[str, bytes], key: str, value: Any) -> bytes:
    return json.dumps({**json.loads(files["coder.json"]), key: value}).encode()


# --- missing targets ---------------------------------------------------------------------------------------------


def test_rows_without_a_target_are_left_out() -> None:
    known, missing = drop_missing(texts(["a", "b", "c"], ["x", None, "y"]), "label")
    assert (known.table.column("text").to_pylist(), missing) == (["a", "c"], 1)
    whole = texts(["a"], ["x"])
    assert drop_missing(whole, "label") == (whole, 0)


def test_a_target_that_is_all_missing_is_an_error() -> None:
    table = pa.table({"text": ["a"], "label": pa.array([None], pa.string())})
    with pytest.raises(
        DataError, match=r"column 'label': every value of the target is missing \(choose another target\)"
    ):
        drop_missing(Sequences(table, {"text": "tokens", "label": "category"}), "label")
