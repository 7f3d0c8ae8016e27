from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from unrolled.data.memory import to_table
from unrolled.errors import DataError, UsageError


class Stream:
    """What polars, pandas and duckdb look like to Arrow."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


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
        ({"x": [1, 2, "a"]}, "memory, row 3, column 'x': cannot be a column of one type"),
        ({"x": [[1], [2], ["a"], [3]]}, "memory, row 3, column 'x': cannot be a column of one type"),
        ({"x": [1, {2}]}, "row 2, column 'x'"),
        ({"x": [2**80]}, "row 1, column 'x'"),
        ({"x": ["\ud800"]}, "row 1, column 'x'"),
        ({"x": [1], "y": [1, 2]}, "memory, column 'y': has 2 rows, 'x' has 1"),
        ({"x": "abc"}, "memory, column 'x': is a str, not a list of cells"),
        ({"x": 3}, "memory, column 'x': is a int, not a list of cells"),
        ({3: [1]}, "the column name 3 is a int, not a text"),
        ([1, 2], "a list of int is no table (give a path"),
        ([{"x": 1}, "a"], "a list of dict, str is no table"),
        ([], "a list of nothing is no table"),
    ],
)
def test_what_is_no_table(source: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        to_table(source)
    assert expected in str(caught.value)


def test_other_objects_are_a_usage_error() -> None:
    for source in (3, None, {1, 2}, object()):
        with pytest.raises(UsageError, match="data cannot be read from a"):
            to_table(source)
