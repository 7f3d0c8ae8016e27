from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.elapsed import Elapsed
from unrolled.data.encodings.encoding import Role, Where
from unrolled.errors import DataError, ModelError

WHERE = Where("visits.csv", "time")
DAY = datetime.datetime(2026, 3, 1)


def column(rows: list[Any], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(rows, kind)])


def logs(elapsed: Elapsed, rows: pa.ChunkedArray) -> list[float]:
    """The logarithms before they are scaled."""
    values, _ = elapsed.scaling.restore(elapsed.encode(rows, WHERE).values)
    return [round(float(value), 5) for value in values[:, 0]]


@pytest.mark.parametrize(
    "rows",
    [
        column([[10, 10, 70], [5], [], [100, 3700]]),
        column([[10.0, 10.0, 70.0], [5.0], [], [100.0, 3700.0]]),
        column([[DAY + datetime.timedelta(seconds=s) for s in row] for row in ([0, 0, 60], [7], [], [0, 3600])]),
    ],
    ids=["integers", "floats", "times"],
)
def test_it_is_the_logarithm_of_the_seconds_since_the_last_event(rows: pa.ChunkedArray) -> None:
    elapsed = Elapsed.fit(rows, Elapsed.Options(), Role(), WHERE)
    expected = [0, 0, np.log1p(60), 0, 0, np.log1p(3600)]
    assert logs(elapsed, rows) == [round(float(value), 5) for value in expected]
    assert elapsed.encode(rows, WHERE).offsets.tolist() == [0, 3, 4, 4, 6]
    assert elapsed.scaling.mean[0] == pytest.approx(np.mean(expected))


def test_over_an_event_without_a_time_the_clock_goes_on() -> None:
    rows = column([[10, None, 70], [None, 5, 6]])
    elapsed = Elapsed.fit(rows, Elapsed.Options(), Role(), WHERE)
    encoded = elapsed.encode(rows, WHERE)
    assert encoded.values[:, 1].tolist() == [0, 1, 0, 1, 0, 0]
    known = [0, 2, 4, 5]
    assert np.array(logs(elapsed, rows))[known] == pytest.approx([0, np.log1p(60), 0, np.log1p(1)], abs=1e-4)
    moment: list[float] = []
    for time, kept in [(None, []), ("10", [10.0]), (None, [10.0]), ("70", [70.0])]:
        found, moment = elapsed.encode_live(time, moment, WHERE)
        assert moment == kept
    assert found.tolist() == encoded.values[2:3].tolist()
    assert elapsed.notes(rows, encoded) == "2 of 6 times missing"


def test_dates_are_met_unasked_and_numbers_only_by_name() -> None:
    assert Elapsed.recognises(column([[DAY]])) == 90
    assert Elapsed.recognises(column([[DAY.date()]])) == 90
    assert Elapsed.recognises(column([[1, 2]])) == Elapsed.recognises(column([DAY])) == 0


def test_a_time_that_falls_is_named() -> None:
    with pytest.raises(DataError) as caught:
        Elapsed.fit(column([[1], [5, 9, 7]]), Elapsed.Options(), Role(), WHERE)
    assert str(caught.value) == (
        "visits.csv, row 2, column 'time': step 3: 7 is earlier than the previous event (sort the events, or use order "
        "if each has its own row)"
    )
    elapsed = Elapsed.fit(column([[1, 2]]), Elapsed.Options(), Role(), WHERE)
    with pytest.raises(DataError, match="column 'time': '3' is earlier than the previous event"):
        elapsed.encode_live("3", [4.0], WHERE)
    with pytest.raises(DataError, match="column 'time': 'soon' is not a time"):
        elapsed.encode_live("soon", (), WHERE)
    with pytest.raises(DataError, match="column 'time': the value is NaN"):
        elapsed.encode_live("inf", (), WHERE)


def test_what_is_no_list_of_times_is_refused() -> None:
    with pytest.raises(DataError, match="row 2, column 'time': step 1: 'a' is neither a date or time nor a num"):
        Elapsed.fit(column([["2026-01-01"], ["a"]]), Elapsed.Options(), Role(), WHERE)
    with pytest.raises(DataError, match="column 'time': holds bool, but must hold dates, times or numbers"):
        Elapsed.fit(column([[True]]), Elapsed.Options(), Role(), WHERE)
    with pytest.raises(DataError, match="expected a list in each row"):
        Elapsed.fit(column([5]), Elapsed.Options(), Role(), WHERE)
    good = Elapsed.fit(column([[1, 2]]), Elapsed.Options(), Role(), WHERE).to_config()
    with pytest.raises(ModelError, match="the elapsed encoding of this model cannot be read: it has 2 channels"):
        Elapsed.from_config({**good, "mean": [0.0, 0.0], "std": [1.0, 1.0]})


def test_the_report_says_what_typically_passes() -> None:
    elapsed = Elapsed.fit(column([[0, 3], [0, 3]]), Elapsed.Options(), Role(), WHERE)
    assert elapsed.report() == "time since the previous event, typically 1 s"
