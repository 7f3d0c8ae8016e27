from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.tables.cadence import Cadence, cadence_of, clock_of_times


def of(times: np.ndarray, series: np.ndarray | None = None) -> Cadence:
    micros = times.astype("datetime64[us]").astype(np.int64)
    return cadence_of(micros, np.zeros(len(micros), np.int64) if series is None else series)


def every(step: int, unit: str, count: int = 40) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(step, unit)


@pytest.mark.parametrize(
    ("times", "step", "season"),
    [
        (every(1, "h"), "1 hour", 24),
        (every(30, "m"), "30 minutes", 48),
        (every(5, "m"), "5 minutes", 288),
        (every(1, "m"), "1 minute", 60),
        (every(1, "s"), "1 second", 60),
        (every(1, "D"), "1 day", 7),
        (every(7, "D"), "1 week", 52),
        (np.arange("2000-01", "2004-01", dtype="datetime64[M]"), "1 month", 12),
        (np.arange("2000-02", "2004-01", dtype="datetime64[M]").astype("datetime64[D]") - 1, "1 month", 12),
        (np.arange("2000-01", "2004-01", 3, dtype="datetime64[M]"), "1 quarter", 4),
        (np.arange("1960", "2004", dtype="datetime64[Y]"), "1 year", 1),
        (every(7, "ms"), "7 milliseconds", 1),
    ],
)
def test_the_usual_step_and_its_season(times: np.ndarray, step: str, season: int) -> None:
    assert (of(times).step, of(times).season) == (step, season)


def test_days_of_work_are_steps_of_a_day() -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    found = of(days[np.is_busday(days)])
    assert (found.step, found.season, found.gaps) == ("1 day", 5, 0)
    assert found.say("date") == "'date': one step is 1 day; there are no Saturdays and Sundays"
    assert of(np.delete(days[np.is_busday(days)], [7, 8, 20])).missing == 3


def test_gaps_and_times_that_occur_twice_are_counted_within_series() -> None:
    times = np.delete(every(1, "D"), [4, 5, 9])
    found = of(np.concatenate([times, times[:20]]), np.repeat([0, 1], [len(times), 20]))
    assert (found.gaps, found.missing, found.repeated, found.longest) == (4, 6, 0, 37)
    assert of(np.repeat(every(1, "D"), 2)).repeated == 40
    assert "3 steps are missing in 2 places" in of(times).say("t")


def test_unequal_steps_have_no_cadence() -> None:
    found = of(np.datetime64("2024-01-01", "us") + np.cumsum(np.arange(50)) * np.timedelta64(7, "s"))
    assert not found.regular
    assert found.say("t") == "'t': its steps are not equal"


def test_numbers_have_steps_but_no_season() -> None:
    assert cadence_of(np.arange(0.0, 10, 0.5), np.zeros(20, np.int64)) == Cadence("0.5", 1, longest=20, size=0.5)


def test_a_day_of_25_hours_is_a_day_by_the_clock() -> None:
    days = pa.array(np.arange("2024-10-20", "2024-11-05", dtype="datetime64[D]").astype("datetime64[us]"))
    local = pa.chunked_array([days]).cast(pa.timestamp("us"))
    zoned = pa.compute.assume_timezone(local, "Europe/Berlin")
    at = clock_of_times(zoned)
    assert at is not None
    assert cadence_of(at, np.zeros(len(at), np.int64)).step == "1 day"


def test_hours_go_through_the_change_of_the_clock() -> None:
    hours = pa.array(every(1, "h", 400) + np.timedelta64(60, "D")).cast(pa.timestamp("us", "America/New_York"))
    at = clock_of_times(pa.chunked_array([hours.cast(pa.timestamp("s", "America/New_York"))]))
    assert at is not None
    assert cadence_of(at, np.zeros(len(at), np.int64)) == Cadence("1 hour", 24, longest=400, size=3600.0)
