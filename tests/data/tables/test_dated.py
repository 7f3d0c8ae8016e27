from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.tables.dated import Dated, with_dates
from unrolled.errors import DataError, Origin


def dated(columns: dict[str, object], **config: object) -> Dated:
    return with_dates(pa.table(columns), DataConfig.check(config), Origin("t.csv"))


def test_texts_become_dates_and_other_texts_stay() -> None:
    found = dated({"day": ["Jan 31, 2024", None], "note": ["on Jan 31, 2024", "x"], "seen": [["2024-01-31 10:00"], []]})
    assert found.table.to_pydict() == {
        "day": [date(2024, 1, 31), None],
        "note": ["on Jan 31, 2024", "x"],
        "seen": [[datetime(2024, 1, 31, 10)], []],
    }
    assert (found.order, found.remarks) == (None, ())


def test_numbers_are_dates_where_the_name_or_the_part_of_the_column_says_so() -> None:
    numbers = {"timestamp": [1704067200000], "n": [1704067200000], "k": [20240131]}
    found = dated(numbers, order="k")
    assert found.table.to_pydict() == {
        "timestamp": [datetime(2024, 1, 1)],
        "n": [1704067200000],
        "k": [date(2024, 1, 31)],
    }
    assert found.remarks == ("'timestamp' is read as milliseconds since 1970", "'k' is read as YYYYMMDD")


def test_columns_of_a_chosen_kind_and_names_of_sequences_stay_as_they_are() -> None:
    texts = {"day": ["2024-01-31"], "id": ["2024-01-31"]}
    assert dated(texts, kinds={"day": "category"}, by="id").table.to_pydict() == texts
    assert dated({"d": ["1/31/24"]}, kinds={"d": "calendar"}).table.to_pydict() == {"d": [date(2024, 1, 31)]}


def test_the_order_of_day_and_month_is_settled_for_later_data() -> None:
    found = dated({"date": ["01/02/2024", "13/02/2024"]})
    assert (found.order, found.remarks) == ("dmy", ("'date' is read day first",))
    assert dated({"date": ["01/02/2024"]}, date_order="dmy").table.to_pydict() == {"date": [date(2024, 2, 1)]}


def test_only_what_can_be_sorted_orders_the_steps() -> None:
    assert dated({"t": ["10", "9.5"]}, order="t").table.to_pydict() == {"t": [10.0, 9.5]}
    assert dated({"t": ["10:05:00", "9:05:30"]}, order="t").table.to_pydict() == {"t": [36300.0, 32730.0]}
    with pytest.raises(DataError, match="row 1, column 't': 'first' is no date, time or number of a known form"):
        dated({"t": ["first", "second"]}, order="t")


def test_a_cell_that_is_no_date_is_named() -> None:
    times = [f"2026-01-01 01:{minute}" for minute in range(10, 40)]
    times[7] = "soon"
    with pytest.raises(DataError, match="t.csv, row 8, column 't': 'soon' is not a date, but 29 of the 30 cells are"):
        dated({"t": times}, order="t")
