"""Where values stand along an axis, and which are written beside it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from unrolled.page.scales import Kind, axis_over, kind_of, numbers, written


def ticks(kind: Kind, low: float, high: float, most: int = 5) -> list[str]:
    return [text for _, text in axis_over(kind, np.array([low, high]), (), (), 0.0).ticks(most)]


def test_ticks_are_round_numbers() -> None:
    assert ticks("linear", 0.13, 0.97) == ["0.2", "0.4", "0.6", "0.8"]
    assert ticks("linear", 0, 50_000) == ["0", "10,000", "20,000", "30,000", "40,000", "50,000"]
    assert ticks("linear", -3.5, 3.5) == ["−2", "0", "2"]


def test_between_whole_numbers_stand_whole_numbers() -> None:
    assert ticks("linear", 1, 3) == ["1", "2", "3"]


def test_a_log_axis_has_decades_and_where_these_are_few_also_2_and_5() -> None:
    assert ticks("log", 1e-8, 1.0, 4) == ["10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1"]
    assert ticks("log", 1.0, 12.0) == ["1", "2", "5", "10"]
    assert ticks("log", 31.0, 42.0) == ["35", "40"]


def test_on_a_log_axis_equal_ratios_are_equal_distances_and_what_is_not_positive_has_no_place() -> None:
    axis = axis_over("log", np.array([1.0, 10.0, 100.0]), (), (), 0.0)
    np.testing.assert_allclose(axis.places(np.array([1.0, 10.0, 100.0])), [0, 0.5, 1])
    assert np.isnan(axis.places(np.array([0.0, -1.0, np.inf]))).all()


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2024-01-20", "2024-03-19", ["2024-01-29", "02-12", "02-26", "03-11"]),
        ("2019-06-01", "2024-06-01", ["2020", "2022", "2024"]),
        ("2024-03-01T06:00", "2024-03-02T06:00", ["2024-03-01 06:00", "12:00", "18:00", "03-02", "06:00"]),
        (
            "2024-03-01T06:00",
            "2024-03-01T06:02",
            ["2024-03-01 06:00:00", "06:00:30", "06:01:00", "06:01:30", "06:02:00"],
        ),
    ],
)
def test_ticks_of_dates(first: str, last: str, expected: list[str]) -> None:
    low, high = numbers(np.array([first, last], "datetime64[s]"))
    assert ticks("time", low, high, 4) == expected


def test_names_that_have_no_room_are_left_out_evenly() -> None:
    names = axis_over("names", np.zeros(0), (), [str(n) for n in range(100)], 0.0)
    assert [text for _, text in names.ticks(6)] == ["0", "20", "40", "60", "80"]
    assert names.ticks(6)[1][0] == pytest.approx(20.5 / 100)


def test_values_are_numbers_dates_or_names() -> None:
    day = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    assert [kind_of(of) for of in (["a"], [1, None], [day], np.array(["2024"], "datetime64[D]"))] == [
        "names",
        "linear",
        "time",
        "time",
    ]
    np.testing.assert_array_equal(numbers([day, dt.datetime(1970, 1, 1, 1)]), [86_400, 3_600])
    np.testing.assert_array_equal(numbers([1, None]), [1, np.nan])
    np.testing.assert_array_equal(numbers(np.array(["NaT"], "datetime64[s]")), [np.nan])


def test_an_axis_includes_what_it_must_and_leaves_room_beyond_other_values() -> None:
    axis = axis_over("linear", np.array([0.5, np.nan, np.inf]), (0, 1), (), 0.1)
    assert (axis.low, axis.high) == (0, 1)
    axis = axis_over("linear", np.array([0.5, 2.0]), (0,), (), 0.1)
    assert (axis.low, axis.high) == (0, pytest.approx(2.2))


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [0.0], [1e300, -1e300], [1e-320, 2e-320]])
def test_any_values_have_an_axis_with_few_ticks(values: list[float]) -> None:
    axis = axis_over("linear", np.array(values, np.float64), (), (), 0.05)
    assert axis.high > axis.low
    assert len(axis.ticks(5)) <= 8


def test_numbers_are_written_for_people() -> None:
    assert [written(value) for value in (0.123456, 12_345.6, 1e-7, -0.0, np.nan)] == [
        *("0.1235", "12,346", "1e-07".replace("-", "−"), "0", "no value"),
    ]
