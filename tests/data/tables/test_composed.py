from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.tables.composed import with_clock, with_date_of_numbers, with_key
from unrolled.data.tables.read import read

DAYS = [date(2024, 1, 31), date(2024, 1, 31), date(2024, 2, 1)]


def test_times_of_the_day_are_added_to_the_dates() -> None:
    expected = [datetime(2024, 1, 31, 5), datetime(2024, 1, 31, 17, 30), datetime(2024, 2, 1)]
    for clock in (["5:00", "17:30", "0:00"], ["05.00.00", "17.30.00", "00.00.00"]):
        found = with_clock(pa.table({"Date": DAYS, "Time": clock}), ())
        assert found.table.column("Date").to_pylist() == expected
        assert found.dropped == {"Time": "is the time of day in 'Date'"}


def test_hours_are_added_to_dates_that_repeat() -> None:
    hours = pa.table({"day": DAYS, "hr": [0, 23, 5]})
    assert with_clock(hours, ()).table.column("day").to_pylist()[1] == datetime(2024, 1, 31, 23)
    ending = pa.table({"day": DAYS, "hour": [1, 24, 6]})
    assert with_clock(ending, ()).table.column("day").to_pylist()[0] == datetime(2024, 1, 31, 0)
    for other in ({"hr": [0, 30, 5]}, {"n": [0, 23, 5]}, {"hr": [0, 1, 2], "day": [*DAYS[1:], date(2024, 2, 2)]}):
        assert not with_clock(pa.table({"day": DAYS, **other}), ()).remark


def test_a_date_is_made_of_its_numbers() -> None:
    found = with_date_of_numbers(pa.table({"year": [2024, 2024], "month": [2, 3], "day": [29, 1]}), ())
    assert found.table.column("date").to_pylist() == [date(2024, 2, 29), date(2024, 3, 1)]
    assert list(found.dropped) == ["year", "month", "day"]
    named = with_date_of_numbers(pa.table({"year": [1949, 1949], "month": ["Jan", "December"]}), ())
    assert named.table.column("date").to_pylist() == [date(1949, 1, 1), date(1949, 12, 1)]
    for other in (
        {"year": [2023], "month": ["Mat"]},
        {"year": [2023], "month": [2], "day": [29]},
        {"year": [2024], "day": [1]},
        {"year": [2024]},
    ):
        assert not with_date_of_numbers(pa.table(other), ()).remark


def test_several_columns_name_a_series_together() -> None:
    table = pa.table({"store": [1, 2], "item": ["a", "b"], "a,b": [1, 2]})
    assert with_key(table, "store,item").column("store,item").to_pylist() == ["1,a", "2,b"]
    for by in ("store", "a,b", "store,x", None):
        assert with_key(table, by).column_names == table.column_names


def test_they_are_found_and_later_data_is_read_the_same_way() -> None:
    panel: dict[str, Any] = {"date": [], "store": [], "item": [], "sales": []}
    for day in np.arange("2024-01-01", "2024-02-01", dtype="datetime64[D]"):
        for store in (1, 2):
            for item in (1, 2, 3):
                for name, value in zip(panel, (str(day), store, item, (store * item) % 5), strict=True):
                    panel[name].append(value)
    found = read(panel, find_steps=True)
    assert dict(found.settled) == {"order": "date", "by": "store,item"}
    later = read(panel, DataConfig(**found.settled), timed={"sales": True})
    assert later.table.column("store,item").to_pylist() == ["1,1", "1,2", "1,3", "2,1", "2,2", "2,3"]
    months = {"Year": [2020 + n // 12 for n in range(24)], "Month": [n % 12 + 1 for n in range(24)], "y": [0.5] * 24}
    assert dict(read(months, find_steps=True).settled) == {"order": "date"}
    assert read(months, DataConfig(order="date"), timed={"y": True}).table.column("y").to_pylist() == [[0.5] * 24]


def test_what_the_date_tells_is_not_forecast() -> None:
    days = [str(day) for day in np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")]
    table = {"date": days, "weekday": [n % 7 for n in range(40)], "y": [(n * n) % 11 / 2 for n in range(40)]}
    assert dict(read(table, find_steps=True).settled) == {"order": "date", "target": ("y",)}
    assert dict(read(table, DataConfig(target=("weekday",)), find_steps=True).settled) == {"order": "date"}
