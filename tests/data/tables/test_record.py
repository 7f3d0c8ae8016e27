"""The fields of a row as the steps of a sequence."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from configs import data_config

import unrolled as ur
from unrolled.data.tables.read import read
from unrolled.data.tables.record import as_steps
from unrolled.errors import IN_MEMORY, DataError

ROWS = {"food": ["thai", "greek", None], "stars": [3, None, None], "open": [True, False, None], "text": ["a", "b", "c"]}


def test_each_field_is_a_step_in_the_order_that_was_asked_and_an_empty_cell_is_none() -> None:
    table = as_steps(pa.table(ROWS), ("stars", "food", "open"), IN_MEMORY)
    assert table.column_names == ["food", "stars", "open", "text", "fields"]
    assert table.column("fields").to_pylist() == [
        ["stars=3", "food=thai", "open=true"],
        ["food=greek", "open=false"],
        [],
    ]


def test_it_is_read_as_a_sequence_of_tokens_in_place_of_its_columns() -> None:
    sequences = read(ROWS, data_config(fields=("food", "stars")))
    assert sequences.kinds["fields"] == "tokens" and not {"food", "stars"} & sequences.kinds.keys()
    assert "'food' is left out: it is a step of 'fields'" in sequences.notes


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        (
            ROWS,
            "fod",
            "your data, column 'fod': there is no such column (Did you mean 'food'? Known: food, open, stars, text.)",
        ),
        ({"x": [[1], [2]]}, "x", "your data, column 'x': holds list<item: int64>, which is not a single value"),
        ({"x": [b"\xff"]}, "x", "your data, column 'x': holds binary, which is not a single value"),
        (
            {"x": [1], "fields": [2]},
            "x",
            "your data, column 'fields': this name is taken by the joined fields (rename it)",
        ),
    ],
)
def test_what_is_no_field_is_refused(rows: dict[str, list[object]], name: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        as_steps(pa.table(rows), (name,), IN_MEMORY)
    assert str(caught.value) == message


def test_later_records_are_read_the_same_way(tmp_path: Path) -> None:
    rows = [{"food": food, "stars": stars, "text": f"{food} {stars}"} for food in ("thai", "greek") for stars in (1, 2)]
    options = {
        "fields": ["food", "stars"],
        "target": "text",
        "valid": 0,
        "steps": 2,
        "hidden": 8,
        "out": tmp_path / "run",
    }
    trained = ur.fit(rows * 4, **options)
    assert list(trained.task.coder.inputs) == ["fields"]
    again = ur.load(tmp_path / "run")
    answers = again.predict([{"food": "thai", "stars": 2}])
    assert answers.column("fields").to_pylist() == [["food=thai", "stars=2"]]
    assert answers.column("food").to_pylist() == ["thai"]
