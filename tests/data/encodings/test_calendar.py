"""Calendar: points on circles, by hand, and a forecast that reads them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.data.encodings.calendar import Calendar
from unrolled.data.encodings.encoding import Role, Where
from unrolled.errors import DataError

WHERE = Where("a.csv", "when")


def encoded(*values: object, kind: pa.DataType | None = None) -> np.ndarray:
    column = pa.chunked_array([pa.array([list(values)], None if kind is None else pa.list_(kind))])
    return Calendar.fit(column, Calendar.Options(), Role(), WHERE).encode(column, WHERE).values


def test_by_hand() -> None:
    moment = datetime(2024, 3, 13, 18, 30, 15)  # a Wednesday, day 73 of its year
    day = (18 * 3600 + 30 * 60 + 15) / 86_400
    turns = (day, (2 + day) / 7, (72 + day) / 365.2425)
    expected = [wave(2 * math.pi * turn) for turn in turns for wave in (math.sin, math.cos)]
    assert encoded(moment)[0] == pytest.approx(expected, abs=1e-6)
    for text in ("2024-03-13 18:30:15", "2024-03-13T18:30:15"):
        assert np.array_equal(encoded(text), encoded(moment))
    with_zone = encoded(moment - timedelta(hours=1), kind=pa.timestamp("us", "Etc/GMT-1"))
    assert np.array_equal(with_zone, encoded(moment))  # the clock on the wall tells
    assert not encoded(moment, None)[1].any()


def test_equal_steps_turn_by_equal_angles() -> None:
    """What a linear head needs to know the calendar of the steps ahead."""
    points = encoded(*(datetime(2024, 2, 27) + timedelta(hours=5 * n) for n in range(30)))[:, :4]
    solution, residual, _, _ = np.linalg.lstsq(points[:-3], points[3:], rcond=None)
    assert residual.sum() < 1e-9 and np.linalg.norm(solution) > 1


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"a.csv, row 1, column 'when': step 2: 'noon' is not a date or time \(write them"
    ):
        encoded("2024-01-01", "noon")
    with pytest.raises(DataError, match=r"'5' is not a date or time"):
        Calendar(time=True).encode_live(5, (), WHERE)
    with pytest.raises(DataError, match=r"double is not a date or time"):
        encoded(1.5)


def test_a_forecast_reads_the_day_that_no_value_tells(tmp_path: Path) -> None:
    """The load is what the weekday says, and noise: one value before tells nothing of it, the calendar all."""
    random = np.random.default_rng(0)
    days = [datetime(2023, 1, 2) + timedelta(days=n) for n in range(700)]
    load = [(3.0 if day.weekday() >= 5 else 0.0) + random.normal(0, 0.1) for day in days]
    table = pa.table({"day": days, "load": load})
    how = {"target": "load", "order": "day", "horizon": 1, "lookback": 1, "steps": 150, "lr": 0.02, "model": "mlp"}
    with_it = ur.fit(table, kinds={"day": "calendar"}, hidden=32, out=tmp_path / "with", **how)
    without = ur.fit(table, hidden=32, out=tmp_path / "without", **how)
    assert with_it.metrics["valid"]["mse_scaled"] < 0.1 < 0.2 < without.metrics["valid"]["mse_scaled"]
    answer = with_it.stream().push({"load": 0.0, "day": "2025-01-03"})  # a Friday
    assert answer["load_predicted"][0] == pytest.approx(3, abs=0.7)
