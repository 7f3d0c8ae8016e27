from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.batch import Discrete
from unrolled.data.encodings.category import UNKNOWN, Category
from unrolled.data.encodings.encoding import Role, Where
from unrolled.errors import DataError, ModelError

WHERE = Where("mail.csv", "folder")
INPUT = Role()
TARGET = Role(closed=True)


def column(values: list, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def fit(values: list, role: Role = INPUT, kind: pa.DataType | None = None, **options: Any) -> Category:
    return Category.fit(column(values, kind), Category.Options(**options), role, WHERE)


def test_a_target_numbers_its_labels_in_sorted_order() -> None:
    category = fit(["spam", "ham", "Zoo", "éa", "ham"], TARGET)
    assert category.labels == ["Zoo", "ham", "spam", "éa"]
    assert category.spec == Discrete(4, time=False)
    assert category.encode(column(["ham", "éa"]), WHERE).values.tolist() == [1, 3]


def test_an_input_has_an_id_for_unseen_labels() -> None:
    category = fit(["a", "b"])
    assert category.spec.size == 3
    encoded = category.encode(column(["c", "b", "a", None]), WHERE)
    assert encoded.values.tolist() == [0, 2, 1, 0]
    assert [category.decode(row) for row in encoded.values] == [UNKNOWN, "b", "a", UNKNOWN]
    assert category.notes(column([]), encoded) == "2 of 4 labels were not seen in training"


def test_missing_has_an_id_of_its_own_if_training_had_it() -> None:
    category = fit(["a", None, "b"])
    assert category.spec.size == 4
    values = category.encode(column(["c", None, "a", "b"]), WHERE).values
    assert values.tolist() == [0, 1, 2, 3]
    assert category.decode(values[1]) is None
    assert category.report() == "category, 2 labels, and one for missing values"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x", "y"], pa.large_string()),
        ([True, False], None),
        ([-3, 2**62], None),
        ([0, 2**64 - 1], pa.uint64()),
        ([0.1, 1e16, -2.0], None),
        ([7], None),
    ],
)
def test_labels_come_back_as_they_were(values: list, kind: pa.DataType | None) -> None:
    for role in (Role(), TARGET):
        category = fit(values, role, kind)
        decoded = [category.decode(row) for row in category.encode(column(values, kind), WHERE).values]
        assert decoded == values
        assert [type(label) for label in decoded] == [type(label) for label in values]


def test_the_same_label_in_another_type() -> None:
    """A file that is read later may hold the labels as texts, or as floats because of a missing one."""
    ints = fit([1, 2], TARGET)
    for later in (["1", "2"], [1.0, 2.0]):
        assert ints.encode(column(later), WHERE).values.tolist() == [0, 1]
    texts = fit(["1", "2", "true"], TARGET)
    assert texts.encode(column([2, 1]), WHERE).values.tolist() == [1, 0]
    assert texts.encode(column([True]), WHERE).values.tolist() == [2]
    assert fit([False, True], TARGET).encode(column(["true", "false"]), WHERE).values.tolist() == [1, 0]


def test_lists_are_labels_a_step_or_a_set() -> None:
    category = fit([["b", "a"], [], None, ["c"]], TARGET)
    assert category.spec == Discrete(3, time=True)
    encoded = category.encode(column([["c"], [], None, ["a", "b"]]), WHERE)
    assert encoded.values.tolist() == [2, 0, 1]
    assert encoded.offsets is not None
    assert encoded.offsets.tolist() == [0, 1, 1, 1, 3]
    assert category.decode(encoded.values[1:]) == ["a", "b"]
    assert category.decode(encoded.values[:0]) == []


def test_ids_are_as_narrow_as_the_labels_allow() -> None:
    for count, dtype in [(256, np.uint8), (257, np.uint16), (70_000, np.uint32)]:
        values = list(range(count))
        encoded = fit(values, TARGET).encode(column(values), WHERE)
        assert encoded.values.dtype == dtype
        assert encoded.values.tolist() == values


def test_dictionaries_with_unused_labels() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([2, 0, None], pa.int8()), pa.array(["a", "b", "c"]))
    category = Category.fit(pa.chunked_array([array]), Category.Options(), Role(), WHERE)
    assert category.labels == ["a", "c"]
    assert category.encode(pa.chunked_array([array]), WHERE).values.tolist() == [3, 2, 1]


def test_chunks_with_dictionaries_of_their_own() -> None:
    parts = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    category = Category.fit(pa.chunked_array(parts), Category.Options(), TARGET, WHERE)
    assert category.encode(pa.chunked_array(parts), WHERE).values.tolist() == [1, 0, 2, 0]


def test_a_target_refuses_an_unseen_label_and_names_the_known_ones() -> None:
    category = fit(["ham", "spam"], TARGET)
    expected = (
        "mail.csv, row 2, column 'folder': the label 'spm' was not seen in training "
        "(Did you mean 'spam'? Known: ham, spam)"
    )
    with pytest.raises(DataError) as caught:
        category.encode(column(["ham", "spm"]), WHERE)
    assert str(caught.value) == expected
    with pytest.raises(DataError, match="^mail.csv, column 'folder': the label 'spm' was not seen"):
        category.encode_live("spm", (), WHERE)


def test_an_error_lists_twenty_labels_at_most() -> None:
    category = fit([[f"label {k:02}" for k in range(30)]], TARGET)
    with pytest.raises(DataError, match="row 1, column 'folder': step 2: the label 'x' .*label 19 and 10 more"):
        category.encode(column([["label 01", "x"]]), WHERE)


def test_a_target_refuses_an_empty_cell() -> None:
    expected = "mail.csv, row 2, column 'folder': the target is empty (fill it in, or leave the row out)"
    with pytest.raises(DataError) as caught:
        fit(["ham", None, "spam"], TARGET).encode(column(["ham", None]), WHERE)
    assert str(caught.value) == expected


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_target_without_a_label(values: list) -> None:
    with pytest.raises(DataError, match=r"^mail.csv, column 'folder': has no labels \(choose another target\)$"):
        fit(values, TARGET, pa.string())


def test_columns_without_any_value() -> None:
    category = Category.fit(pa.chunked_array([pa.nulls(2)]), Category.Options(), Role(), WHERE)
    assert category.encode(pa.chunked_array([pa.nulls(3)]), WHERE).values.tolist() == [1, 1, 1]
    assert category.encode(column(["a"]), WHERE).values.tolist() == [0]


def test_types_without_labels_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"column 'folder': holds date32\[day\], which cannot be labels \(choose another"
    ):
        fit([1], kind=pa.date32())


def test_floats_that_are_no_labels() -> None:
    with pytest.raises(DataError, match="row 2, column 'folder': the label is infinite"):
        fit([1.0, float("inf")])
    with pytest.raises(DataError, match="row 3, column 'folder': the label is NaN"):
        fit([1.0, None, float("nan")])
    filled = fit([1.0, float("nan")], missing="impute")
    assert filled.encode(column([float("nan"), None, 1.0]), WHERE).values.tolist() == [1, 1, 2]


def test_live_labels() -> None:
    category = fit(["1", "2"])
    for value, wanted in [("2", 2), (2, 2), (np.int64(1), 1), ("x", 0), (None, 0)]:
        id_ = category.encode_live(value, (), WHERE)[0][0]
        assert id_.shape == ()
        assert id_ == wanted
    with pytest.raises(DataError, match=r"expected one label, got .\['a'\].$"):
        category.encode_live(["a"], (), WHERE)


def test_stored_labels_are_checked() -> None:
    good = fit(["a", "b"], TARGET).to_config()
    for bad in (
        {"labels": ["b", "a"]},
        {"labels": ["a", "a"]},
        {"labels": []},
        {"missing": True},
        {"labels": ["a", 1]},
    ):
        with pytest.raises(ModelError, match="the category encoding of this model cannot be read"):
            Category.from_config({**good, **bad})
