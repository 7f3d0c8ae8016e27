"""Several tables as one: their rows in order, and errors that still name the file and the row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.tables.joined import joined
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, Origin


def part(values: list[object], name: str, **others: object) -> Sequences:
    return Sequences(pa.table({"x": values}), {"x": "number"}, Origin(name), **others)  # type: ignore[arg-type]


def test_the_rows_of_the_first_come_first() -> None:
    both = joined([part([1, 2], "a.csv"), part([3.5], "b.csv")])
    assert both.column("x").to_pylist() == [1, 2, 3.5]
    assert len(joined([both])) == 3


def test_a_row_is_named_by_its_file() -> None:
    both = joined([part([1, 2], "a.csv", rows=np.array([4, 6])), part([3], "b.csv", rows=np.array([2]))])
    places = [both.origin.place(both.where("x").row(row)) for row in range(3)]
    assert places == [("a.csv", 5), ("a.csv", 7), ("b.csv", 3)]


def test_where_targets_begin_is_kept() -> None:
    both = joined([part([1, 2], "a.csv"), part([3], "b.csv", first=np.array([5]))])
    assert both.first is not None
    assert both.first.tolist() == [0, 0, 5]


def test_other_types_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="the column 'x' is of type int64 here, but of type string in the data before"):
        joined([part([1], "a.csv"), part(["one"], "b.csv")])
