from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError

DAYS = [str(day) for day in np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")]
NUMBERS = [((7 * n) % 11) / 2 for n in range(40)]


def found(columns: dict[str, Any], steps: bool = False, **config: Any) -> Sequences:
    return read(columns, DataConfig.check(config), steps, find_steps=True)


def test_dates_and_numbers_are_the_steps_of_one_series() -> None:
    series = found({"date": DAYS, "y": NUMBERS})
    assert dict(series.settled) == {"order": "date"}
    assert series.table.column("y").to_pylist() == [NUMBERS]
    assert "the rows are the steps of one series, in the order of 'date' (as with order date)" in series.notes
    assert series.cadence is not None and series.cadence.season == 7


def test_a_falling_order_is_sorted_and_said() -> None:
    series = found({"date": DAYS[::-1], "y": NUMBERS[::-1]})
    assert series.table.column("y").to_pylist() == [NUMBERS]
    assert "'date': one step is 1 day; the rows run backwards and are sorted" in series.notes


def test_dates_that_repeat_are_parted_by_a_column_of_labels() -> None:
    for store in (["A", "B"] * 40, ["A"] * 40 + ["B"] * 40):
        twice = [day for day in DAYS for _ in "AB"] if store[1] == "B" else DAYS + DAYS
        series = found({"date": twice, "store": store, "units": [n % 7 for n in range(80)]})
        assert dict(series.settled) == {"order": "date", "by": "store"}
        assert series.table.column("store").to_pylist() == ["A", "B"]
        assert series.kinds == {"units": "number"}


def test_a_few_dated_numbers_are_a_series_and_a_few_numbers_are_not() -> None:
    assert dict(found({"date": DAYS[:4], "y": NUMBERS[:4]}).settled) == {"order": "date"}
    assert not found({"date": DAYS[:3], "y": NUMBERS[:3]}).settled
    assert not found({"t": range(4), "y": NUMBERS[:4]}).settled


def test_an_hour_that_occurs_twice_does_not_make_two_series() -> None:
    hours = [str(hour) for hour in np.arange("2024-10-26T00", "2024-10-28T12", dtype="datetime64[h]")]
    series = found({"when": [*hours[:28], *hours[27:]], "load": NUMBERS[:30] + NUMBERS[:31]})
    assert dict(series.settled) == {"order": "when"}
    assert any("1 time occurs more than once, in the order of the rows" in note for note in series.notes)


def test_names_of_several_words_part_series_too() -> None:
    countries = [f"Land {'of the ' * (n % 3)}{n}" for n in range(60)]
    years = list(range(1950, 2000, 5))
    panel = {"country": np.repeat(countries, 10), "year": years * 60, "life": [40 + n % 37 for n in range(600)]}
    for target in ([], ["life"]):
        assert dict(found(panel, target=target).settled) == {"order": "year", "by": "country"}


def test_numbers_that_count_steps_order_them() -> None:
    table = {"machine": np.repeat([3, 5], 20), "t": [*range(20)] * 2, "s": NUMBERS, "state": ["ok", "bad"] * 20}
    assert dict(found(table, target=["state"]).settled) == {"order": "t", "by": "machine"}
    assert dict(found({"Year": range(1950, 1990), "y": NUMBERS}).settled) == {"order": "Year"}
    assert dict(found({"x": range(40), "y": NUMBERS}).settled) == {}
    hours = found({"hour": range(40), "y": NUMBERS}).cadence
    assert hours is not None and hours.season == 24


def test_a_panel_may_be_sorted_by_its_years() -> None:
    years, countries = np.repeat(range(1990, 2005), 12), [*"abcdefghijkl"] * 15
    assert dict(found({"country": countries, "year": years, "y": range(180)}).settled) == {
        "order": "year",
        "by": "country",
    }
    sold = {"YrSold": np.repeat(range(2000, 2010), 18), "street": ["pave", "gravel"] * 90, "price": range(180)}
    assert not found(sold, target=["price"]).settled


def test_two_meters_that_never_tell_at_the_same_instant_are_two_series() -> None:
    start = np.datetime64("2024-01-01T00:00:00")
    times = [str(start + 60 * (n // 2) + 7 * (n % 2)) for n in range(80)]
    series = found({"ts": times, "device": ["a", "b"] * 40, "y": range(80)})
    assert dict(series.settled) == {"order": "ts", "by": "device"}
    assert "'ts': one step is 1 minute" in series.notes
    alone = found({"ts": times[::2], "state": ["on", "off"] * 20, "y": NUMBERS})
    assert dict(alone.settled) == {"order": "ts"}


def test_a_line_of_totals_below_a_series_is_named() -> None:
    with pytest.raises(
        DataError, match="row 41, column 'date': is empty in 1 of 41 rows, and the others are the steps"
    ):
        found({"date": [*DAYS, None], "y": [*NUMBERS, sum(NUMBERS)]})
    assert not found({"joined": [*DAYS[:20], None] * 2, "left": ["yes", "no", "no"] * 14}, target=["left"]).settled


def test_only_whole_numbers_are_parts_of_a_date() -> None:
    returns = found({"date": DAYS, "weekday": [n % 7 for n in range(40)], "next_day_return": NUMBERS})
    assert returns.settled["target"] == ("next_day_return",)


def test_times_beside_dates_that_stand_once_are_numbers() -> None:
    runs = found({"date": DAYS, "duration": [f"0{n % 2}:{10 + n}:30" for n in range(40)]})
    assert dict(runs.settled) == {"order": "date"} and runs.kinds == {"duration": "number"}
    assert runs.table.column("duration")[0].as_py()[:2] == [630.0, 4290.0]
    assert "'duration' is read in its smallest unit, so that 00:10:30 is 630" in runs.notes
    paces = [f"{5 + n % 3}:{10 + n}" for n in range(40)]
    assert found({"pace": paces, "km": NUMBERS}).table.column("pace")[0].as_py() == 310
    words = found({"pace": paces, "km": NUMBERS}, kinds={"pace": "category"})
    assert words.table.column("pace")[0].as_py() == "5:10"


def test_a_year_and_a_number_of_the_step_are_one_order() -> None:
    series = found({"y": NUMBERS, "t": range(40), "year": range(1950, 1990)})
    assert dict(series.settled) == {"order": "year"} and series.kinds == {"y": "number"}
    quarters = found(
        {"year": np.repeat(np.arange(1990.0, 2000.0), 4), "quarter": [1.0, 2.0, 3.0, 4.0] * 10, "y": NUMBERS}
    )
    assert dict(quarters.settled) == {"order": "date"} and "'date': one step is 1 quarter" in quarters.notes


def test_dates_of_examples_do_not_order_them() -> None:
    rng = np.random.default_rng(0)
    days = [str(np.datetime64("2020-01-01") + int(day)) for day in rng.integers(0, 900, 80)]
    assert not found({"joined": days, "age": rng.integers(18, 80, 80), "left": ["yes", "no"] * 40}).settled
    prose = {"date": DAYS, "text": [f"the food was good {n}" for n in range(40)], "label": ["a", "b"] * 20}
    assert not found(prose, target=["label"]).settled


def test_names_of_several_words_part_series_and_a_few_equal_times_do_not() -> None:
    countries = [f"Republic of {letters}" for letters in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    panel = {"country": np.repeat(countries, 10), "year": [*range(1950, 2000, 5)] * 26, "y": [0.5, 1.5] * 130}
    assert dict(found(panel, target=["y"]).settled) == {"order": "year", "by": "country"}
    hours = np.arange("2024-10-20", "2024-11-10", dtype="datetime64[h]")
    twice = np.sort(np.append(hours, hours[170]))
    assert dict(found({"when": twice, "y": np.arange(len(twice)) % 7 / 2}).settled) == {"order": "when"}


def test_who_did_what_and_when_are_events() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(1_700_000_000_000, 1_700_900_000_000, 200))
    series = found({"user": rng.integers(1, 9, 200), "item": rng.integers(1, 9, 200), "timestamp": times})
    assert dict(series.settled) == {
        "by": "user",
        "order": "timestamp",
        "inputs": ("item",),
        "kinds": {"item": "tokens"},
    }
    assert series.kinds == {"item": "tokens"}
    labels = {"time": times, "a": rng.choice(["p", "q"], 200), "b": rng.choice(["r", "s"], 200)}
    with pytest.raises(
        UsageError, match="not clear whose: give one of by a order time: the 'b' of each 'a'; by b order"
    ):
        found(labels)


def test_a_named_sequence_is_in_the_order_of_its_dates() -> None:
    table = {"id": ["a", "b"] * 20, "date": DAYS[::-1], "y": NUMBERS}
    assert dict(found(table, by="id").settled) == {"order": "date"}
    born = {"id": np.repeat(["a", "b"], 20), "born": np.repeat(DAYS[:2], 20), "y": NUMBERS}
    assert dict(found(born, by="id").settled) == {}


def test_a_horizon_makes_rows_steps_in_the_order_of_the_dates() -> None:
    series = found({"date": [*DAYS[::-1], DAYS[3]], "y": [*NUMBERS, 1.0]}, steps=True)
    assert dict(series.settled) == {"order": "date"}
    assert "1 time occurs more than once" in series.notes[1]


def test_an_order_with_many_equal_times_asks_for_the_series() -> None:
    table = {"date": DAYS + DAYS, "store": ["A"] * 40 + ["B"] * 40, "y": NUMBERS + NUMBERS}
    with pytest.raises(UsageError, match="up to 2 rows have the same 'date', and 'store' parts them.*add by store"):
        found(table, order="date")
    assert "40 times occur more than once" in found({"date": DAYS + DAYS, "y": NUMBERS * 2}, order="date").notes[0]


def test_gaps_are_said() -> None:
    table = {"date": [*DAYS[:9], *DAYS[12:]], "y": [*NUMBERS[:9], *NUMBERS[12:]]}
    assert "3 steps are missing in 1 place" in found(table).notes[1]


@pytest.mark.parametrize("counts", [[0] * 40, [5] * 40, [0, 0, 0, 1] * 10, [n % 21 for n in range(40)]])
def test_whole_numbers_over_time_are_numbers(counts: list[int]) -> None:
    assert found({"date": DAYS, "units": counts}).kinds == {"units": "number"}
    assert found({"units": counts, "x": NUMBERS}, steps=True).kinds["units"] == "number"


def test_states_over_time_are_labels_where_they_are_the_target() -> None:
    table = {"date": DAYS * 2, "id": ["a"] * 40 + ["b"] * 40, "state": [n % 3 for n in range(80)], "x": NUMBERS * 2}
    assert found(table).kinds == {"state": "number", "x": "number"}
    assert found(table, target=["state"]).kinds == {"state": "category", "x": "number"}


def test_names_of_people_and_things_that_repeat_are_labels() -> None:
    flat = {"store_id": [n % 4 for n in range(40)], "x": NUMBERS}
    assert found(flat).kinds == {"store_id": "category", "x": "number"}
    assert found({"user": ["a", "b"] * 40, "item": [(n * n) % 37 for n in range(80)]}, by="user").kinds == {
        "item": "tokens"
    }


def test_rows_of_one_machine_may_leak() -> None:
    rows = {"machine": np.repeat([1, 2, 3], 10), "x": NUMBERS[:30], "state": ["ok", "bad"] * 15}
    assert any("'machine' repeats in runs" in note for note in found(rows, target=["state"]).notes)
    assert not any("runs" in note for note in found(rows, target=["state"], by="machine").notes)


def test_the_dates_of_a_data_frame_are_a_column_and_its_index_is_no_input() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"y": NUMBERS}, index=pd.date_range("2024-01-01", periods=40))
    assert dict(found(frame).settled) == {"order": "index"}
    assert dict(found(frame["y"]).settled) == {"order": "index"}
    assert dict(found(frame.rename_axis("day")).settled) == {"order": "day"}
    months = pd.DataFrame({"month": pd.period_range("2020-01", periods=40, freq="M"), "y": NUMBERS})
    assert dict(found(months).settled) == {"order": "month"}
    shuffled = pd.DataFrame({"x": NUMBERS, "label": ["a", "b"] * 20}).sample(frac=1, random_state=0)
    assert found(shuffled).kinds == {"x": "number", "label": "category"}
    assert found(pa.Table.from_pandas(shuffled)).dropped == {"__index_level_0__": "is the index of the data frame"}


def test_numbers_of_users_are_no_series_however_regular_the_times_are() -> None:
    times = [str(time) for time in np.arange("2024-01-01T00", "2024-01-09T08", dtype="datetime64[h]")]
    series = found({"user": [n % 7 for n in range(200)], "page": [f"page {n % 5}" for n in range(200)], "time": times})
    assert dict(series.settled) == {"by": "user", "order": "time", "inputs": ("page",)}
