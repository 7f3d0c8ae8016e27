from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from unrolled.data.tables.in_memory import from_arrow, to_table
from unrolled.errors import DataError, UsageError


class Stream:
    """What polars, pandas and duckdb look like to Arrow."""

    def __init__(self, data: Any, name: object = None) -> None:
        self.data, self.name = data, name

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.data.__arrow_c_stream__(requested_schema)


class Array:
    """What an array of nanoarrow looks like to Arrow."""

    def __init__(self, data: pa.Array) -> None:
        self.data = data

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.data.__arrow_c_array__(requested_schema)


class Broken:
    """A stream that cannot be read to its end."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        def batches() -> Any:
            yield pa.record_batch({"x": [1]})
            raise pa.ArrowInvalid("the disk is on fire\nand so on")

        reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
        return reader.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"x": [1, 2], "y": ["a", None]}, {"x": [1, 2], "y": ["a", None]}),
        ({"x": np.arange(2.0)}, {"x": [0.0, 1.0]}),
        ({"x": np.arange(4).reshape(2, 2)}, {"x": [[0, 1], [2, 3]]}),
        ({"x": [np.zeros((2, 1)), np.ones((1, 1))]}, {"x": [[[0.0], [0.0]], [[1.0]]]}),
        ({"x": np.zeros((1, 2, 2), np.float32)}, {"x": [[[0.0, 0.0], [0.0, 0.0]]]}),
        ({"x": [torch.tensor([1, 2]), torch.tensor([3])]}, {"x": [[1, 2], [3]]}),
        ({"x": np.array(["a", None], object)}, {"x": ["a", None]}),
        ({"x": (1, 2)}, {"x": [1, 2]}),
        ({"x": pa.chunked_array([[1], [2]])}, {"x": [1, 2]}),
        ([{"x": 1}, {"y": 2.5, "x": None}], {"x": [1, None], "y": [None, 2.5]}),
        (["a", "b"], {"text": ["a", "b"]}),
        ([[1, 2], [3]], {"sequence": [[1, 2], [3]]}),
        ([np.ones((1, 2)), np.zeros((2, 2))], {"sequence": [[[1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]}),
        (np.ones((1, 2)), {"sequence": [[1.0, 1.0]]}),
        (pa.table({"x": [1]}), {"x": [1]}),
        (Stream(pa.table({"x": [1]})), {"x": [1]}),
        (Stream(pa.table({})), {}),
        (pa.record_batch({"x": [1]}), {"x": [1]}),
        (pa.table({"x": [1, 2]}).to_reader(), {"x": [1, 2]}),
        (pa.array([{"x": 1}]), {"x": [1]}),
        (Array(pa.array([{"x": 1}])), {"x": [1]}),
        (Stream(pa.chunked_array([["a"], ["b"]]), "text"), {"text": ["a", "b"]}),
    ],
)
def test_forms(source: Any, wanted: dict[str, list[Any]]) -> None:
    assert to_table(source).to_pydict() == wanted


@pytest.mark.parametrize("package", ["polars", "pandas", "duckdb"])
def test_dataframes(package: str) -> None:
    module = pytest.importorskip(package, reason=f"{package} is an extra of the tests")
    columns = {"x": [1.5, 2.5], "y": ["a", "b"]}
    if package == "duckdb":
        frame = module.sql("select * from (values (1.5::double, 'a'), (2.5::double, 'b')) t(x, y)")
    else:
        frame = module.DataFrame(columns)
    assert to_table(frame).select(["x", "y"]).to_pydict() == columns


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"x": [1, 2, "a"]}, "your data, row 3, column 'x': the values are not of one type"),
        ({"x": [[1], [2], ["a"], [3]]}, "your data, row 3, column 'x': the values are not of one type"),
        ({"x": [1, {2}]}, "row 2, column 'x'"),
        ({"x": [2**80]}, "row 1, column 'x'"),
        ({"x": ["\ud800"]}, "row 1, column 'x'"),
        ({"x": [1], "y": [1, 2]}, "your data, column 'y': has 2 rows, but 'x' has 1"),
        ({"x": "abc"}, "your data, column 'x': has the type str, but must be a list of cells"),
        ({"x": 3}, "your data, column 'x': has the type int, but must be a list of cells"),
        ({3: [1]}, "the column name 3 has the type int, but must be a str"),
        ([1, 2], "a list of int cannot be read as a table (give a path"),
        ([{"x": 1}, "a"], "a list of dict, str cannot be read as a table"),
        ([], "a list of nothing cannot be read as a table"),
    ],
)
def test_what_is_no_table(source: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        to_table(source)
    assert expected in str(caught.value)


@pytest.mark.parametrize("package", ["polars", "pandas"])
def test_a_series_is_a_column_under_its_name(package: str) -> None:
    module = pytest.importorskip(package, reason=f"{package} is an extra of the tests")
    series = module.DataFrame({"x": ["a", "b"]})["x"]
    assert to_table(series).to_pydict() == {"x": ["a", "b"]}
    assert from_arrow(series, "text").to_pydict() == {"text": ["a", "b"]}


@pytest.mark.parametrize(
    "source",
    [
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
        Array(pa.array([1])),
        Stream(pa.chunked_array([[1]])),
        Stream(pa.chunked_array([[1]]), ""),
        Stream(pa.chunked_array([[1]]), 3),
    ],
)
def test_a_column_without_a_name_is_no_table(source: Any) -> None:
    name = type(source).__name__
    with pytest.raises(UsageError, match=f"^a {name} without a name is a column, not a table: give {{name: column}}$"):
        to_table(source)
    assert from_arrow(source, "x").column_names == ["x"]


def test_what_a_stream_cannot_hand_over_is_told_in_a_sentence() -> None:
    with pytest.raises(DataError) as caught:
        to_table(Broken())
    assert str(caught.value).startswith("your data: cannot be read as Arrow data: ")
    assert "\n" not in str(caught.value)


def test_what_arrow_does_not_know_is_left_as_it_came() -> None:
    rows = ["a", "b"]
    assert from_arrow(rows, "text") is rows


def test_other_objects_are_a_usage_error() -> None:
    for source in (3, None, {1, 2}, object()):
        with pytest.raises(UsageError, match="data of type .* cannot be read"):
            to_table(source)


def test_times_of_numpy_in_any_unit() -> None:
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"):
        first = to_table({"t": np.array(["2026-01-01"], f"datetime64[{unit}]")}).column("t")[0].as_py()
        assert (first.year, first.month) == (2026, 1), unit


def test_faults_of_data_frames_are_named() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(DataError, match="row 2, column 'x': the values are not of one type"):
        to_table(pd.DataFrame({"x": pd.Series([1.5, "n/a", 3], dtype=object)}))
    with pytest.raises(DataError, match="row 1, column 'x': holds complex numbers"):
        to_table(pd.DataFrame({"x": np.arange(3) * 1j}))
    with pytest.raises(DataError, match="column 'a': appears twice"):
        to_table(pd.DataFrame(np.ones((3, 2)), columns=["a", "a"]))
    channels = to_table(pd.DataFrame({"s": [np.ones((5, 2))] * 3})).column("s")
    assert channels[0].as_py() == [[1.0, 1.0]] * 5
