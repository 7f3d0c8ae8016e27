"""What a stream says of rows that do not follow each other in time, and of those that do."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
import pytest

from unrolled.data.tables.cadence import cadence_of
from unrolled.data.tables.succession import Succession

DAY = 86_400.0


def seen(rows: Succession, times: Iterable[object]) -> str:
    before: list[float] = []
    for time in times:
        before = rows.look(time if isinstance(time, dict) else {rows.column or "": time}, before)
    return rows.say()


def test_the_row_and_both_times_are_named_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    days = Succession("date", DAY)
    times = ("2024-01-05", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-06", "2024-01-10", "soon")
    said = seen(days, times)
    assert [record.getMessage() for record in caplog.records] == [
        "row 2 of the stream, column 'date': '2024-01-03' is before '2024-01-05', the latest time so far; it is "
        "answered as the next step",
        "row 4 of the stream, column 'date': '2024-01-05' repeats '2024-01-05', the latest time so far; it is "
        "answered as the next step",
        "row 6 of the stream, column 'date': '2024-01-10' is 4 steps after '2024-01-06', the latest time so far; it is "
        "answered as the next step",
        "row 7 of the stream, column 'date': 'soon' cannot be read as a time, so its order is not known; it is "
        "answered as the next step",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert said == (
        "2 rows go back in time, 1 row repeats a time, 1 row leaves a gap, 1 row has a time that cannot be read; each "
        "was answered as the next step"
    )


@pytest.mark.parametrize(
    "times",
    [
        np.arange("2022-01", "2024-01", dtype="datetime64[M]").astype("datetime64[D]"),
        np.arange("2022-01", "2024-01", dtype="datetime64[M]").astype("datetime64[D]") - 1,  # the ends of months
        np.arange("2010", "2024", dtype="datetime64[Y]").astype("datetime64[D]"),
        np.arange("2023-12-01", "2024-03-01", dtype="datetime64[D]"),
        np.arange("2024-01-01T00", "2024-01-03T12", dtype="datetime64[h]"),
    ],
    ids=["months", "ends of months", "years", "days", "hours"],
)
def test_the_steps_of_a_calendar_leave_no_gap(times: np.ndarray) -> None:
    cadence = cadence_of(times.astype("datetime64[us]").astype(np.int64))
    texts = [str(time) for time in times]
    assert cadence.size > 0
    assert seen(Succession("date", cadence.size), texts) == ""
    assert seen(Succession("date", cadence.size), [*texts[:3], *texts[4:]]).startswith("1 row leaves a gap")


def test_a_weekend_is_no_gap_where_the_training_data_has_none() -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    work = days[np.is_busday(days)]
    cadence = cadence_of(work.astype("datetime64[us]").astype(np.int64))
    assert (cadence.size, cadence.workdays) == (DAY, True)
    assert seen(Succession("date", cadence.size, workdays=True), map(str, work)) == ""
    assert seen(Succession("date", cadence.size), map(str, work)).startswith("8 rows leave a gap")
    without_a_tuesday = [*work[:1], *work[2:]]
    assert seen(Succession("date", DAY, workdays=True), map(str, without_a_tuesday)).startswith("1 row leaves a gap")
    in_berlin = [f"{day}T00:00+01:00" for day in work]  # which are Sundays to Thursdays in UTC
    assert seen(Succession("date", DAY, workdays=True), in_berlin) == ""
    assert seen(Succession("date", DAY, workdays=True), [*in_berlin[:1], *in_berlin[2:]]).startswith("1 row leaves")


def test_the_hour_of_summer_time_is_no_gap() -> None:
    days = [f"2024-10-{day}T00:00+{'02' if day <= 27 else '01'}:00" for day in range(24, 32)]
    assert seen(Succession("date", DAY), days) == ""


def test_numbers_are_in_their_own_unit_and_unequal_steps_may_be_far_apart() -> None:
    assert seen(Succession("hour", 1.0), [0, 1, "2", 3.0]) == ""
    assert seen(Succession("hour", 1.0), [0, 1, 3]).startswith("1 row leaves a gap")
    assert seen(Succession("at"), [0, 5, 5, 900]) == ""
    assert seen(Succession("at"), [0, 5, 3, 900]).startswith("1 row goes back")


def test_a_gap_that_starts_a_new_sequence_is_the_users() -> None:
    rows = Succession("at", 60.0, gap="30m")
    assert seen(rows, ["2024-01-01T10:00", "2024-01-01T10:29"]) == ""
    assert seen(rows, ["2024-01-01T10:00", "2024-01-01T10:31"]).startswith("1 row leaves a gap")


def test_days_before_months_are_read_as_the_training_data_has_them() -> None:
    assert seen(Succession("date", DAY, order="dmy"), ["01/02/2024", "02/02/2024", "03/02/2024"]) == ""
    assert "cannot be read" in seen(Succession("date", DAY), ["01/02/2024", "02/02/2024"])


def test_a_clock_in_its_own_column_is_part_of_the_time() -> None:
    hours = [{"date": f"2024-01-0{1 + n // 24}", "time": f"{n % 24:02}:00", "load": 5} for n in range(60)]
    assert seen(Succession("date", 3600.0), hours) == ""
    assert seen(Succession("date", 3600.0), [*hours[:30], *hours[31:]]).startswith("1 row leaves a gap")
    assert seen(Succession("date", 3600.0), [hours[1], hours[0]]).startswith("1 row goes back")
    from_one_to_24 = [{"date": f"2024-01-0{1 + n // 24}", "hour": str(1 + n % 24)} for n in range(60)]
    assert seen(Succession("date", 3600.0), from_one_to_24) == ""
    months = [{"Year": str(2020 + n // 12), "Month": str(1 + n % 12)} for n in range(30)]
    assert seen(Succession("date", 30.5 * DAY), months) == ""
    assert seen(Succession("date", 30.5 * DAY), [months[5], months[3]]).startswith("1 row goes back")
