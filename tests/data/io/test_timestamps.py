from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.io.timestamps import duration, moment, moments

UTC = datetime.UTC
PLUS_TWO = datetime.timezone(datetime.timedelta(hours=2))


def test_durations() -> None:
    assert [duration(text) for text in ("45s", "30m", "2.5h", "1d", "7", "0.5")] == [45, 1800, 9000, 86400, 7, 0.5]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([datetime.datetime(2026, 5, 4, 3, 2, 1, 123456), None, datetime.datetime(1969, 1, 1)]),
        pa.array([datetime.datetime(2026, 5, 4, tzinfo=PLUS_TWO)], pa.timestamp("ms", "Europe/Paris")),
        pa.array([datetime.datetime(2026, 5, 4)], pa.timestamp("ns")),
        pa.array([datetime.date(2026, 5, 4), datetime.date(1960, 2, 29)]),
        pa.array([3, -7, None], pa.int16()),
        pa.array([0.1, 1e300]),
    ],
    ids=str,
)
def test_a_value_alone_is_at_the_same_moment_as_in_a_column(values: pa.Array) -> None:
    found = moments(pa.chunked_array([values]), ValueError)
    assert found.dtype == np.float64
    for one, value in zip(found.tolist(), values.to_pylist(), strict=True):
        assert (moment(value) == one) if value is not None else np.isnan(one)


def test_texts_are_read_as_a_table_reads_them() -> None:
    texts = ["2026-05-04 03:02:01", "2026-05-04T03:02:01.25", "2026-05-04"]
    column = pa.chunked_array([pa.array(texts).cast(pa.timestamp("us"))])
    assert [moment(text) for text in texts] == moments(column, ValueError).tolist()
    assert moment("2026-05-04T03:00:00Z") == moment(datetime.datetime(2026, 5, 4, 5, tzinfo=PLUS_TWO))
    assert moment("17.5") == moment(17.5) == 17.5
    assert moment("yesterday") is moment("") is moment([1]) is None


def test_what_is_neither_time_nor_number_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match="'soon' is neither a date or time nor a number.*2"):
        moments(pa.chunked_array([["2026-05-04", None, "soon"]]), ValueError)
    with pytest.raises(ValueError, match="'2026-05-04' has no offset from UTC, but others have one"):
        moments(pa.chunked_array([["2026-05-04", "2026-05-04 03:02+02:00"]]), ValueError)
