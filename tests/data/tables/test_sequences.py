from __future__ import annotations

import datetime
import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from allocations import peak_of
from configs import data_config

from unrolled.data.encodings.encoding import ENCODINGS
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences, infer_kinds, merge, unusable
from unrolled.data.tables.split import hold_out
from unrolled.errors import DataError, Origin, UsageError

NOON = datetime.datetime(2020, 1, 1, 12)
COLUMNS = {
    "load": ([[1.5, 2.0], [3.5]], "number"),
    "age": ([1.5, 2.5], "number"),
    "text": (["one long line of words", "and quite another one"], "tokens"),
    "label": (["yes", "no"] * 20, "category"),
    "tags": ([["a", "b"], ["b"]] * 20, "category"),
    "flag": ([True, False], "category"),
    "points": ([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]], "series"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_kinds_are_inferred(name: str) -> None:
    cells, kind = COLUMNS[name]
    assert infer_kinds(pa.table({name: cells}), {}, Origin("t.csv")) == {name: kind}


def test_the_surest_encoding_wins() -> None:
    array = pa.chunked_array([["yes", "no"] * 20])
    sure = {name: encoding.recognises(array) for name, encoding in ENCODINGS.members().items()}
    assert infer_kinds(pa.table({"x": array}), {}, Origin("t"))["x"] == max(sure, key=lambda name: sure[name])


def test_overrides_win_and_are_checked() -> None:
    table = pa.table({"age": [1, 2], "gone": pa.nulls(2)})
    assert infer_kinds(table, {"age": "category", "gone": "number"}, Origin("t")) == {
        "age": "category",
        "gone": "number",
    }
    with pytest.raises(DataError, match=r"t, column 'agee': there is no such column .*Did you mean 'age'\?"):
        infer_kinds(table, {"agee": "number"}, Origin("t"))
    with pytest.raises(UsageError, match=r"unknown kind 'nmber' for column 'age'\. Did you mean 'number'\?"):
        infer_kinds(table, {"age": "nmber"}, Origin("t"))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (pa.nulls(2), "is empty"),
        (pa.array([None, None], pa.string()), "is empty"),
        (pa.array([[], []], pa.list_(pa.null())), "is empty"),
        (pa.array([NOON, NOON]), "holds dates or times"),
        (pa.array([[NOON], []]), "holds dates or times"),
        (pa.array([b"a", b"b"]), "holds bytes"),
        (pa.array([{"a": 1}, {"a": 2}]), "write a as separate columns"),
    ],
)
def test_columns_without_a_kind_say_why(cells: pa.Array, reason: str) -> None:
    table = pa.table({"x": cells})
    assert infer_kinds(table, {}, Origin("t")) == {}
    assert reason in str(unusable(table["x"]))


def test_an_unknown_column_is_an_error_that_helps() -> None:
    table = pa.table({"load": [1], "day": [NOON]})
    sequences = Sequences(table, {"load": "number"}, Origin("t.csv"), dropped={"day": "is odd"})
    assert sequences.notes == ("'day' is left out: it is odd",)
    with pytest.raises(DataError, match=r"t\.csv, column 'laod': there is no such column \(Did you mean 'load'\?"):
        sequences.column("laod")
    with pytest.raises(DataError, match=r"t\.csv, column 'day': is left out: it is odd"):
        sequences.column("day")


def test_rows_keep_their_places_in_the_file() -> None:
    sequences = Sequences(pa.table({"x": [10, 11, 12, 13]}), {"x": "number"}, first=np.array([0, 1, 2, 3]))
    taken = sequences.take(np.array([3, 1])).take(np.array([1]))
    assert taken.table.to_pydict() == {"x": [11]}
    assert taken.first is not None and taken.first.tolist() == [1]
    assert taken.where("x").row(0) == 2
    assert len(sequences.take(np.zeros(0, np.int64))) == 0


def test_large_rows_are_taken_without_a_copy() -> None:
    table = pa.table({"text": pa.array(["x" * 200_000] * 6, pa.large_string())})
    sequences = Sequences(table, {"text": "tokens"})
    before = pa.total_allocated_bytes()
    taken = sequences.take(np.array([0, 1, 3, 4, 5, 2]))
    assert pa.total_allocated_bytes() - before < 10_000
    assert taken.table["text"].num_chunks == 3 and len(taken) == 6


def test_merge_joins_channels() -> None:
    table = pa.table({"a": [[1, 2], [3]], "b": [[0.5, None], [1.5]], "c": ["x", "y"]})
    kinds = {"a": "number", "b": "number", "c": "category"}
    joint = merge(Sequences(table, kinds), ("b", "a"), "series")
    assert joint.kinds == {"c": "category", "series": "series"}
    assert joint.column("series").to_pylist() == [[[0.5, 1.0], [None, 2.0]], [[1.5, 3.0]]]
    assert json.loads(joint.table.field("series").metadata[b"channels"]) == ["b", "a"]
    assert joint.table.column_names == ["c", "series"]
    joint.table.validate(full=True)


def test_merge_of_one_column_and_of_many_chunks() -> None:
    array = pa.chunked_array([[[1.0], None], [[2.0, 3.0]]])
    joint = merge(Sequences(pa.table({"a": array}), {"a": "number"}), ("a",), "a")
    assert joint.column("a").to_pylist() == [[[1.0]], [], [[2.0], [3.0]]]


def test_merge_refuses_what_does_not_fit() -> None:
    table = pa.table({"a": [[1.0], [2.0]], "b": [[1.0], []], "c": [1.0, 2.0], "series": [[1.0], [2.0]]})
    sequences = Sequences(table, dict.fromkeys(table.column_names, "number"), Origin("t"))
    with pytest.raises(DataError, match=r"t, row 2, column 'b': has 0 steps, but 'a' has 1"):
        merge(sequences, ("a", "b"), "both")
    with pytest.raises(DataError, match=r"column 'c': holds double, not a list of numbers"):
        merge(sequences, ("a", "c"), "both")
    with pytest.raises(DataError, match=r"column 'series': this name is taken by the joined series"):
        merge(sequences, ("a", "b"), "series")


def test_rows_of_more_than_2_gib_of_text_are_taken() -> None:
    """The chunks share one buffer of 60 MB, so that nothing large is made here."""
    chunk = pa.array(["x" * 60_000] * 1000)
    table = pa.table({"text": pa.chunked_array([chunk] * 37), "place": pa.chunked_array([pa.array(range(37_000))])})
    taken: list[Sequences] = []
    rows = np.array([0, 1, 36_999])
    assert peak_of(lambda: taken.append(Sequences(table, {"text": "tokens"}).take(rows))) < 1_000_000
    assert taken[0].table.column("place").to_pylist() == rows.tolist()


@pytest.mark.soak
def test_more_than_2_gib_of_text_is_read_grouped_and_held_out(times: Callable[[int, int], int]) -> None:
    """As the test above; in its quick form 2 MB."""
    chunks = times(1, 37)
    texts = pa.chunked_array([pa.array(["x" * 60_000, "y" * 60_000] * times(16, 500))] * chunks)
    table = pa.table({"text": texts, "who": np.arange(len(texts)) % 7})
    config = data_config(by="who", kinds={"text": "tokens"})
    found = read(table, config)
    assert len(found) == 7 and sum(map(len, found.table.column("text"))) == len(texts)
    left, part = hold_out(read(table, data_config(kinds={"text": "tokens"})), 0.1, seed=0)
    assert len(left) + len(part) == len(texts)
