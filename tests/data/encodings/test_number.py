from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.number import Number
from unrolled.errors import DataError, ModelError

WHERE = Where("meter.csv", "load")
INPUT = Role()


def column(values: list, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def fit(values: list, role: Role = INPUT, kind: pa.DataType | None = None, **options: Any) -> Number:
    return Number.fit(column(values, kind), Number.Options(**options), role, WHERE)


def test_standardises_by_population_mean_and_deviation() -> None:
    values = np.random.default_rng(0).normal(50, 7, 1000)
    number = fit(values.tolist())
    assert number.mean == pytest.approx([values.mean()], rel=1e-12)
    assert number.std == pytest.approx([values.std(ddof=0)], rel=1e-12)
    encoded = number.encode(column(values.tolist()), WHERE)
    np.testing.assert_allclose(encoded.values[:, 0], (values - values.mean()) / values.std(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [0.1, 3.0, -1e300, 5e-324, 0.0])
def test_a_constant_is_shifted_and_not_scaled(value: float) -> None:
    number = fit([value] * 7)
    assert number.std.tolist() == [1.0]
    assert number.encode(column([value]), WHERE).values.tolist() == [[0.0]]
    assert number.decode(np.zeros((1, 1))) == value


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1.0, 1e154, 1e300])
def test_any_magnitude_can_be_fitted(unit: float) -> None:
    values = [unit * x for x in (-1.5, -0.5, 0.5, 1.5)]
    number = fit(values)
    np.testing.assert_allclose(
        number.encode(column(values), WHERE).values[:, 0], np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-6
    )


def test_large_integers_keep_their_differences() -> None:
    values = [10**15 + k for k in range(4)]
    encoded = fit(values).encode(column(values), WHERE).values[:, 0]
    np.testing.assert_allclose(encoded, np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=1e-6)


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(6, 2), pa.string()])
def test_other_types_are_read_as_numbers(kind: pa.DataType) -> None:
    array = pa.chunked_array([pa.array([1.0, 3.0]).cast(kind)])
    assert Number.fit(array, Number.Options(), Role(), WHERE).encode(array, WHERE).values.tolist() == [[-1.0], [1.0]]


def test_missing_values_become_the_mean_and_are_flagged() -> None:
    number = fit([1.0, None, 3.0])
    assert number.spec.width == 2
    assert number.flagged == [0]
    encoded = number.encode(column([1.0, None, 3.0]), WHERE)
    assert encoded.values.tolist() == [[-1, 0], [0, 1], [1, 0]]
    assert [number.decode(row) for row in encoded.values] == [1.0, None, 3.0]
    assert number.report() == "number, mean 2, scale 1, 1 missing"


def test_values_that_are_missing_only_later_become_the_mean_and_are_counted() -> None:
    number = fit([1.0, 3.0])
    later = column([None, 3.0])
    encoded = number.encode(later, WHERE)
    assert encoded.values.tolist() == [[0], [1]]
    assert number.notes(later, encoded) == "1 of 2 values missing, filled with the mean"
    assert number.notes(column([3.0]), number.encode(column([3.0]), WHERE)) == ""


def test_a_missing_step_of_a_list() -> None:
    number = fit([[1.0, None], [3.0], None])
    encoded = number.encode(column([[1.0, None], [3.0], None]), WHERE)
    np.testing.assert_allclose(encoded.values, [[-1, 0, 0], [0, 1, np.log(2)], [1, 0, 0]], rtol=1e-6)
    assert number.spec.width == 3
    assert encoded.offsets is not None
    assert encoded.offsets.tolist() == [0, 2, 3, 3]
    assert number.decode(encoded.values[:2]) == [1.0, None]


def test_a_missing_target_is_not_scored() -> None:
    number = fit([1.0, None, 3.0], Role(closed=True))
    assert number.spec.width == 1
    values = number.encode(column([3.0, None]), WHERE).values
    assert values[0] == 1
    assert np.isnan(values[1])
    assert number.decode(values[1]) is None


def test_a_target_without_a_number() -> None:
    with pytest.raises(DataError, match=r"^meter.csv, column 'load': has no numbers \(choose another target\)$"):
        fit([None, None], Role(closed=True), pa.float64())


def test_an_input_without_a_number_is_all_mean() -> None:
    number = fit([None, None], kind=pa.float64())
    assert number.encode(column([None, 4.0]), WHERE).values.tolist() == [[0, 1], [4, 0]]


def test_an_answer_is_decoded_without_its_flag() -> None:
    assert fit([1.0, None, 3.0]).decode(np.array([1.0], np.float32)) == 3.0


def test_nan_is_refused_by_row_and_step() -> None:
    text = "meter.csv, row 2, column 'load': step 3: the value is NaN "
    with pytest.raises(DataError) as caught:
        fit([[1.0], [1.0, 2.0, float("nan")]])
    assert str(caught.value).startswith(text)
    assert "missing: missing impute" in str(caught.value)


def test_a_value_far_beyond_training_is_refused() -> None:
    number = fit([1.0, 3.0])
    with pytest.raises(DataError, match="row 2, column 'load': -1e\\+300 is too large"):
        number.encode(column([3.0, -1e300]), WHERE)
    with pytest.raises(DataError, match="column 'load': 1e\\+300 is too large"):
        number.encode_live(1e300, (), WHERE)


def test_a_text_that_is_no_number_is_named() -> None:
    expected = (
        "meter.csv, row 3, column 'load': 'n/a' is not a number (correct it, or make the column a category with kinds)"
    )
    with pytest.raises(DataError) as caught:
        fit(["1.5", "2", "n/a"])
    assert str(caught.value) == expected


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("s"), pa.struct({"a": pa.int8()})])
def test_a_type_that_is_no_number_is_named(kind: pa.DataType) -> None:
    text = (
        "meter.csv, column 'load': holds .*, which is not a number \\(choose another kind, or leave the column out\\)"
    )
    with pytest.raises(DataError, match=text):
        fit([None], kind=kind)


def test_lists_where_single_values_were_fitted() -> None:
    with pytest.raises(DataError, match="expected one value in each row, found list"):
        fit([1.0]).encode(column([[1.0]]), WHERE)
    with pytest.raises(DataError, match="expected a list in each row, found double"):
        fit([[1.0]]).encode(column([1.0]), WHERE)


def test_live_values() -> None:
    number = fit([1.0, None, 3.0])
    for value, wanted in [
        (3, [1, 0]),
        ("1.0", [-1, 0]),
        (None, [0, 1]),
        ("", [0, 1]),
        ("nan", [0, 1]),
        (np.float32(3), [1, 0]),
    ]:
        assert number.encode_live(value, (), WHERE)[0][0].tolist() == wanted
    with pytest.raises(DataError, match=r"^meter.csv, column 'load': 'high' is not a number$"):
        number.encode_live("high", (), WHERE)
    with pytest.raises(DataError, match="is not a number"):
        number.encode_live([1.0], (), WHERE)
    with pytest.raises(DataError, match="column 'load': the value is NaN"):
        number.encode_live(float("nan"), (), WHERE)


def test_a_stored_scale_is_checked() -> None:
    good = json.loads(json.dumps(fit([1.0, 3.0]).to_config()))
    for bad in (
        {"std": [0.0]},
        {"std": [-1.0]},
        {"std": []},
        {"flagged": [1]},
        {"mean": [0.0, 0.0], "std": [1.0, 1.0]},
    ):
        with pytest.raises(ModelError, match="the number encoding of this model cannot be read"):
            Number.from_config({**good, **bad})


@pytest.mark.parametrize(
    ("array", "score"),
    [
        (pa.array([1.5]), 90),
        (pa.array([[1.5]]), 90),
        (pa.array([1, 0]), 60),
        (pa.array([[1]]), 60),
        (pa.array(["1"]), 0),
        (pa.array([True]), 0),
        (pa.array([[[1.0]]]), 0),
        (pa.nulls(3), 0),
    ],
)
def test_recognises_numbers(array: pa.Array, score: int) -> None:
    assert Number.recognises(pa.chunked_array([array])) == score
