from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.series import Series
from unrolled.errors import DataError, ModelError

WHERE = Where("weather.jsonl", "sensors")
INPUT = Role()


def column(values: list, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def fit(values: list, role: Role = INPUT, kind: pa.DataType | None = None, **options: Any) -> Series:
    return Series.fit(column(values, kind), Series.Options(**options), role, WHERE)


def test_each_channel_has_its_own_scale() -> None:
    values = np.random.default_rng(0).normal([0, 100, -3], [1, 25, 0.1], (50, 3))
    series = fit([values[:20].tolist(), [], values[20:].tolist()])
    np.testing.assert_allclose(series.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(series.std, values.std(0, ddof=0), rtol=1e-12)
    encoded = series.encode(column([values.tolist()]), WHERE)
    np.testing.assert_allclose(encoded.values, (values - values.mean(0)) / values.std(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.array(series.decode(encoded.values)), values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [pa.list_(pa.list_(pa.float32())), pa.large_list(pa.list_(pa.float64(), 2))])
def test_forms_of_lists_agree(kind: pa.DataType) -> None:
    values = [[[1.0, 5.0], [3.0, 9.0]], [[2.0, 7.0]]]
    series = fit(values, kind=kind)
    assert series.encode(column(values, kind).slice(1), WHERE).values.tolist() == [[0.0, 0.0]]
    assert series.mean.tolist() == [2.0, 7.0]


def test_zeros_and_ones_are_not_scaled() -> None:
    for kind in (pa.float32(), pa.int8(), pa.bool_()):
        array = column([[[0, 1], [0, 1], [1, 1]]]).cast(pa.list_(pa.list_(kind)))
        series = Series.fit(array, Series.Options(), Role(), WHERE)
        assert series.binary
        assert series.report() == "series of 2 channels, 0 or 1, not scaled"
        assert series.encode(column([[[1, 0]]]), WHERE).values.tolist() == [[1, 0]]
    assert not fit([[[0, 1], [0, 2]]]).binary


def test_missing_channels_and_missing_steps() -> None:
    values = [[[1.0, None], None, [3.0, 4.0]]]
    series = fit(values)
    assert series.flagged == [0, 1]
    assert series.spec.width == 6
    encoded = series.encode(column(values), WHERE)
    once = np.log(2)  # the second channel was never there before: that is counted from the first step on
    np.testing.assert_allclose(
        encoded.values, [[-1, 0, 0, 1, 0, 0], [0, 0, 1, 1, once, once], [1, 0, 0, 0, 0, 0]], rtol=1e-6
    )
    assert series.decode(encoded.values) == [[1.0, None], [None, None], [3.0, 4.0]]
    assert series.notes(column(values), encoded) == "3 of 6 values missing, filled with their channel's mean"
    assert series.report() == "series of 2 channels, each scaled, 3 missing"


def test_fixed_size_steps_that_are_null() -> None:
    kind = pa.list_(pa.list_(pa.float64(), 2))
    values = [[[1.0, 2.0], None], None, [[3.0, 4.0]]]
    encoded = fit(values, kind=kind).encode(column(values, kind), WHERE)
    assert encoded.values[:, :4].tolist() == [[-1, -1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    assert encoded.offsets is not None
    assert encoded.offsets.tolist() == [0, 2, 2, 3]


def test_only_channels_that_had_missing_values_are_flagged() -> None:
    series = fit([[[1.0, None, 5.0], [2.0, 3.0, 6.0]]])
    assert series.flagged == [1]
    assert series.encode(column([[[None, None, 6.0]]]), WHERE).values.tolist() == [[0, 0, 1, 1, 0]]


def test_how_long_a_channel_has_been_missing_by_counting() -> None:
    """Row by row and step by step in a loop, and live, over a memory that went through JSON; rows begin anew."""
    random = np.random.default_rng(0)
    rows = []
    for length in (30, 0, 1, 7, 12):
        gone = random.random((length, 3)) < (0.3, 0.8, 0.0)
        rows.append([[None if lost else 1.5 for lost in step] for step in gone.tolist()])
    rows.append([[None, None, 1.5]] * 3)
    series = fit(rows)
    assert series.flagged == [0, 1]
    assert series.spec.width == 7
    encoded = series.encode(column(rows), WHERE)
    place = 0
    for row in rows:
        before: list[float] = []
        for t, step in enumerate(row):
            for at, channel in enumerate(series.flagged):
                seen = [k for k in range(t + 1) if row[k][channel] is not None]
                expected = math.log(1 + t - max(seen, default=0))
                assert encoded.values[place, 5 + at] == pytest.approx(expected, rel=1e-6)
            live, before = series.encode_live(step, json.loads(json.dumps(before)), WHERE)
            assert live.tolist() == encoded.values[place : place + 1].tolist()
            place += 1
    with pytest.raises(
        ModelError, match=r"^this snapshot does not fit the model: its number of flagged channels differs$"
    ):
        series.encode_live([None] * 3, [1.0, 2.0, 3.0], WHERE)


def test_a_missing_target_is_not_scored() -> None:
    series = fit([[[1.0, None], [3.0, 5.0]]], Role(closed=True))
    assert series.spec.width == 2
    assert np.isnan(series.encode(column([[[3.0, None]]]), WHERE).values).tolist() == [[False, True]]


def test_a_ragged_step_is_named() -> None:
    expected = (
        "weather.jsonl, row 2, column 'sensors': step 2: 1 channels, expected 2 (every step needs the same channels)"
    )
    with pytest.raises(DataError) as caught:
        fit([[[1.0, 2.0]], [[1.0, 2.0], [3.0]]])
    assert str(caught.value) == expected
    with pytest.raises(DataError, match="row 1, column 'sensors': step 1: 3 channels, expected 2"):
        fit([[[1.0, 2.0]]]).encode(column([[[1.0, 2.0, 3.0]]]), WHERE)


def test_bad_values_are_named_by_row_and_step() -> None:
    for bad, text in [(float("nan"), "the value is NaN"), (float("inf"), "the value is infinite")]:
        with pytest.raises(DataError, match=f"row 2, column 'sensors': step 2: {text}"):
            fit([[[1.0, 2.0]], [None, [1.0, bad]]])
    with pytest.raises(DataError, match="row 2, column 'sensors': step 2: 'x' is not a number"):
        fit([[["1", "2"]], [None, ["1", "x"]]])


def test_what_is_not_a_series() -> None:
    with pytest.raises(DataError, match="expected a list of numbers for each step, found list"):
        fit([[1.0, 2.0]])
    with pytest.raises(DataError, match="has no steps"):
        fit([[], None], kind=pa.list_(pa.list_(pa.float64())))
    with pytest.raises(DataError, match="row 1, column 'sensors': step 1: the step has no channels"):
        fit([[[]]], kind=pa.list_(pa.list_(pa.float64())))
    with pytest.raises(DataError, match=r"has no numbers \(choose another target\)"):
        fit([[[None, None]]], Role(closed=True), pa.list_(pa.list_(pa.float64())))


def test_names_of_channels_are_kept() -> None:
    series = fit([[[1.0, 2.0], [3.0, 4.0]]])
    assert series.channels == ["c0", "c1"]
    named = fit([[[1.0, 2.0], [3.0, 4.0]]], Role(channels=("wind", "rain")))
    assert Series.from_config(named.to_config()).channels == ["wind", "rain"]
    with pytest.raises(ModelError, match="the number of channel names is wrong"):
        Series.from_config({**series.to_config(), "channels": ["wind"]})


def test_live_steps() -> None:
    series = fit([[[1.0, None], [3.0, 5.0]]], Role(channels=("wind", "rain")))
    assert series.encode_live([3, "5"], (), WHERE)[0][0].tolist() == [1, 0, 0, 0]
    assert series.encode_live((None, 5.0), (), WHERE)[0][0].tolist() == [0, 0, 0, 0]
    assert series.encode_live(np.array([1.0, 5.0]), (), WHERE)[0][0].tolist() == [-1, 0, 0, 0]
    assert series.encode_live(None, (), WHERE)[0][0].tolist() == [0, 0, 1, 0]
    found, before = series.encode_live(None, [6.0], WHERE)
    assert before == [7.0]
    assert found.tolist() == [[0, 0, 1, np.float32(np.log(8))]]
    assert series.encode_live(' [3, "5"]', (), WHERE)[0].tolist() == [[1, 0, 0, 0]]
    assert fit([[[1.0], [3.0]]]).encode_live("3", (), WHERE)[0].tolist() == [[1]]
    for value, found in [([1.0], "found 1"), ("1,2", "found '1,2'"), ("[1, 2", "found '[1, 2'"), (2.0, "found '2.0'")]:
        with pytest.raises(DataError) as caught:
            series.encode_live(value, (), WHERE)
        text = f"weather.jsonl, column 'sensors': expected a list of 2 numbers (wind, rain), {found}"
        assert str(caught.value) == text


@pytest.mark.parametrize(
    ("array", "score"),
    [
        (pa.array([[[1.0]]]), 90),
        (pa.array([[[1]]]), 90),
        (pa.array([[[True]]]), 90),
        (pa.array([[[1.0]]], pa.list_(pa.list_(pa.float32(), 1))), 90),
        (pa.array([[["a"]]]), 0),
        (pa.array([[1.0]]), 0),
        (pa.array([[[[1.0]]]]), 0),
    ],
)
def test_recognises_vectors_over_time(array: pa.Array, score: int) -> None:
    assert Series.recognises(pa.chunked_array([array])) == score
