from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

from unrolled.data.tables.identifiers import identifiers


@pytest.mark.parametrize(
    "name", ["id", "PassengerId", "customer_id", "userid", "Unnamed: 0", "rownames", "index", "No"]
)
def test_names_of_rows_are_left_out(name: str) -> None:
    assert list(identifiers(pa.table({name: [7, 9, 4], "x": [1, 1, 2]}), ())) == [name]
    assert identifiers(pa.table({name: [7, 9, 4]}), (name,)) == {}


@pytest.mark.parametrize("name", ["paid", "grid", "valid", "number_of_rooms", "price", "notes"])
def test_other_names_say_nothing(name: str) -> None:
    assert identifiers(pa.table({name: [7, 9, 4]}), ()) == {}


def test_whole_numbers_that_follow_each_other_count_the_rows_in_any_order() -> None:
    shuffled = [(7 * n) % 31 for n in range(31)]
    assert identifiers(pa.table({"x": shuffled, "y": [*shuffled[1:], 3]}), ()) == {"x": "counts the rows"}
    assert identifiers(pa.table({"year": list(range(1950, 1990)), "x": [1, 2] * 20}), ()) == {}
    assert identifiers(pa.table({"x": [0, 1, 2]}), ()) == {}


def test_uuids_and_hashes_are_left_out_whatever_their_name() -> None:
    texts = [str(uuid.UUID(int=n)) for n in range(5)]
    assert list(identifiers(pa.table({"session": texts, "text": ["a", "b", "c", "d", "e"]}), ())) == ["session"]


def test_names_that_repeat_name_more_than_rows() -> None:
    assert identifiers(pa.table({"user_id": [1, 1, 2, 2]}), ()) == {}
    assert identifiers(pa.table({"order_id": [1, 1, 2, 3]}), ()) == {
        "order_id": "is different in most rows, as its name says"
    }


def test_the_index_of_a_data_frame_is_left_out() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]}).iloc[[2, 0, 1]]
    assert identifiers(pa.Table.from_pandas(frame), ()) == {"__index_level_0__": "is the index of the data frame"}
