from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from unrolled.data.io.date_numbers import dates_in_numbers
from unrolled.data.io.dates import Dates, dates_in_texts
from unrolled.data.io.day_numbers import DateOrder
from unrolled.data.io.zones import offset_of


def read(*cells: str | None, order: DateOrder | None = None, sure: bool = False) -> Dates | None:
    def fail(index: int, message: str, hint: str | None) -> Exception:
        return ValueError(f"row {index + 1}: {message} ({hint})")

    return dates_in_texts(pa.chunked_array([list(cells)], pa.string()), fail, order, sure=sure)


def value(*cells: str | None, order: DateOrder | None = None, sure: bool = False) -> list[Any]:
    found = read(*cells, order=order, sure=sure)
    assert found is not None
    return found.values.to_pylist()


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-31", "2024-1-31", "2024/01/31", "2024.01.31", "01/31/2024", "31/01/2024", "31.01.2024", "31-1-2024"),
        *("Jan 31, 2024", "January 31 2024", "Jan. 31, 2024", "31-Jan-2024", "31 January 2024", "31JAN2024"),
        *("January 31st, 2024", "2024-Jan-31", "Wed Jan 31 2024", "Wednesday, January 31, 2024", "Wed, 31 Jan 2024"),
        *("2024-W05-3", "2024W053"),
    ],
)
def test_days_in_common_forms(text: str) -> None:
    assert value(text, None, text) == [date(2024, 1, 31), None, date(2024, 1, 31)]


@pytest.mark.parametrize(
    "text",
    ["20240131", "1/31/24", "31.01.24"],
)
def test_days_that_could_be_something_else_need_a_reason(text: str) -> None:
    assert read(text) is None
    assert value(text, sure=True) == [date(2024, 1, 31)]


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("1991 Jul", 7),
        ("1991-07", 7),
        ("Jul 1991", 7),
        ("July 1991", 7),
        ("07/1991", 7),
        ("1991M7", 7),
        ("1991Q3", 7),
        ("1991-Q3", 7),
        ("Q3 1991", 7),
        ("3Q1991", 7),
    ],
)
def test_months_and_quarters_are_their_first_day(text: str, month: int) -> None:
    assert value(text) == [date(1991, month, 1)]


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-31 13:05", "2024-01-31T13:05:00", "2024-01-31 01:05 PM", "1/31/2024 1:05:00 pm", "20240131T1305"),
        *("31.01.2024, 13:05", "Jan 31, 2024 at 1:05 p.m.", "Wed Jan 31 13:05:00 2024", "31/Jan/2024:13:05:00"),
    ],
)
def test_times_of_day(text: str) -> None:
    assert value(text) == [datetime(2024, 1, 31, 13, 5)]


def test_midnight_noon_fractions_and_the_end_of_a_day() -> None:
    assert value("2024-01-01 12:00 AM", "2024-01-01 12:00 PM") == [datetime(2024, 1, 1), datetime(2024, 1, 1, 12)]
    assert value("2024-01-01 00:00:00.5", "2024-01-01 24:00") == [
        datetime(2024, 1, 1, 0, 0, 0, 500_000),
        datetime(2024, 1, 2),
    ]


def test_one_reading_of_day_and_month_must_fit_all_rows() -> None:
    found = read("02/01/2024", "13/01/2024")
    assert found is not None and (found.order, found.values[0].as_py()) == ("dmy", date(2024, 1, 2))
    assert value("02/01/2024", "01/13/2024")[0] == date(2024, 2, 1)
    with pytest.raises(ValueError, match="row 2: '02/01/2024' can be read day first or month first.*date_order dmy"):
        read(None, "02/01/2024", "03/01/2024")
    with pytest.raises(ValueError, match="can be read day first or year first.*date_order dmy or date_order ymd"):
        read("31-1-24", sure=True)
    assert value("02/01/2024", order="dmy") == [date(2024, 1, 2)]
    assert value("02/01/24", order="ymd", sure=True) == [date(2002, 1, 24)]


def test_equal_steps_tell_day_from_month() -> None:
    months = [f"01/{month:02}/2020" for month in range(1, 13)] + ["01/01/2021"]
    assert value(*months)[-2:] == [date(2020, 12, 1), date(2021, 1, 1)]
    hours = [f"01/{1 + hour // 24:02}/2024 {hour % 24:02}:00" for hour in range(100)]
    assert value(*hours)[-1] == datetime(2024, 1, 5, 3)


def test_offsets_sort_as_instants_and_keep_the_clock() -> None:
    found = read("2022-10-30 02:00:00+01:00", "2022-10-30 02:30:00+02:00")
    assert found is not None and found.values.type == pa.timestamp("us", "Europe/Berlin")
    first, second = found.values.to_pylist()
    assert second.timestamp() < first.timestamp() and (first.hour, second.hour) == (2, 2)
    one = read("2024-01-01T05:00:00+0530")
    assert one is not None and one.values.type == pa.timestamp("us", "+05:30")
    assert one.values[0].as_py() == datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    apart = read("2024-01-01 00:00+02:00", "2024-01-01 00:00-08:00")
    assert apart is not None and "in UTC" in apart.note


def test_named_zones() -> None:
    assert value("2024-07-01 12:00 Europe/Berlin")[0].utcoffset() == timedelta(hours=2)
    assert value("Mon, 01 Jan 2024 12:00:00 GMT")[0].utcoffset() == timedelta(0)
    assert (offset_of("EST"), offset_of("IST")) == (-300, None)
    with pytest.raises(ValueError, match="'IST' is not a time zone with one meaning"):
        read("2024-01-01 12:00 IST")


def test_what_is_nearly_a_column_of_dates_is_refused_with_its_row() -> None:
    days = [f"Jan {day}, 2024" for day in range(1, 31)]
    with pytest.raises(ValueError, match="row 31: 'Feb 30, 2024' is not a date, but 30 of the 31 cells are"):
        read(*days, "Feb 30, 2024")
    with pytest.raises(ValueError, match="row 2: '2024-01-01 02:00' has no offset from UTC, but others have one"):
        read("2024-01-01 01:00Z", "2024-01-01 02:00")
    with pytest.raises(ValueError, match="'1. März 2024' looks like a date whose month is not named in English"):
        read("1. März 2024", "2. März 2024", "1. April 2024")


@pytest.mark.parametrize("text", ["the 3rd", "1.2.10", "12-34", "room 2024", "2024", "May 12", "", "555-1234"])
def test_other_texts_are_no_dates(text: str) -> None:
    assert read(text, None) is None


def test_numbers_are_times_by_their_size_or_their_digits() -> None:
    def of(*numbers: float) -> list[Any] | None:
        found = dates_in_numbers(pa.chunked_array([list(numbers)]))
        return None if found is None else found.values.to_pylist()

    for factor in (1, 10**3, 10**6, 10**9):
        assert of(1_704_067_200 * factor) == [datetime(2024, 1, 1)]
    assert of(1_704_067_200.25) == [datetime(2024, 1, 1, 0, 0, 0, 250_000)]
    assert of(20240131) == [date(2024, 1, 31)]
    assert of(202401) == [date(2024, 1, 1)]
    assert of(20240131120000) == [datetime(2024, 1, 31, 12)]
    assert of(20240132) is of(1, 2, 3) is of(1949) is of(0.5) is of(1e300) is of(-5) is None


def test_periods_are_read_by_their_start() -> None:
    found = read(*(f"{day}.01.2024 00:00 - {day}.01.2024 12:00" for day in range(20, 24)))
    assert found is not None and found.note == "by the start of each period"
    assert [value.day for value in found.values.to_pylist()] == [20, 21, 22, 23]
    assert read("ham - eggs", "tea - milk") is None
