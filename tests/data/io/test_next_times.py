"""The times that follow a series."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import pyarrow as pa
import pytest

from unrolled.data.io.next_times import next_times


def days(*texts: str) -> list[dt.date]:
    return [dt.date.fromisoformat(text) for text in texts]


def stamps(*texts: str) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(text) for text in texts]


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (days("1960-11-01", "1960-12-01"), days("1961-01-01", "1961-02-01")),
        (days("2023-11-30", "2023-12-31", "2024-01-31"), days("2024-02-29", "2024-03-31")),
        (days("2023-10-30", "2023-11-30", "2023-12-30", "2024-01-30"), days("2024-02-29", "2024-03-30")),
        (days("2023-01-01", "2023-04-01", "2023-07-01"), days("2023-10-01", "2024-01-01")),
        (days("2018-03-31", "2019-03-31", "2020-03-31"), days("2021-03-31", "2022-03-31")),
        (days("2024-02-27", "2024-02-28"), days("2024-02-29", "2024-03-01")),
        (days("2024-01-01", "2024-01-08", "2024-01-15"), days("2024-01-22", "2024-01-29")),
        ([dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10, 11, 12)], days("2024-01-15", "2024-01-16")),
        ([dt.date(2024, 1, day) for day in (1, 2, 3, 4, 5)], days("2024-01-06", "2024-01-07")),
        ([dt.date(2024, 1, day) for day in (1, 2, 4, 5, 6)], days("2024-01-07", "2024-01-08")),
        (stamps("2024-01-31 22:00", "2024-01-31 23:00"), stamps("2024-02-01 00:00", "2024-02-01 01:00")),
        (stamps("2024-01-01 00:15", "2024-01-01 00:30"), stamps("2024-01-01 00:45", "2024-01-01 01:00")),
        ([1, 2, 3], [4, 5]),
        ([2000, 2010], [2020, 2030]),
        ([0.5, 1.0, 1.5], [2.0, 2.5]),
        ([1, None, 2], [3, 4]),
    ],
)
def test_a_series_goes_on_by_its_step(times: list[Any], following: list[Any]) -> None:
    array = pa.array(times)
    found = next_times(array, 2)
    assert found is not None and found.type == array.type
    assert found.to_pylist() == following


def test_the_time_of_day_holds_where_the_clock_changes() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    noons = [dt.datetime(2024, 3, day, 12, tzinfo=berlin) for day in (28, 29, 30)]
    found = next_times(pa.array(noons, pa.timestamp("s", "Europe/Berlin")), 2)
    assert found is not None
    assert [time.astimezone(berlin).replace(tzinfo=None) for time in found.to_pylist()] == stamps(
        "2024-03-31 12:00", "2024-04-01 12:00"
    )


@pytest.mark.parametrize("array", [pa.array([1]), pa.array([], pa.date32()), pa.array(["a", "b"]), pa.array([None, 3])])
def test_what_has_no_step_has_no_following_times(array: pa.Array) -> None:
    assert next_times(array, 3) is None
