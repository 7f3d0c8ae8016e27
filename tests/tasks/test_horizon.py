from __future__ import annotations

import datetime
from typing import Any

import pytest
from samples import sequences

from unrolled.data.config import DataConfig
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences
from unrolled.tasks._horizon import dated_steps
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Question

START = datetime.datetime(2023, 1, 1)


def stepped(times: list[Any]) -> Sequences:
    return read({"when": times, "load": [1.5] * len(times)}, DataConfig(order="when"))


def every(steps: int, **step: float) -> list[datetime.datetime]:
    return [START + n * datetime.timedelta(**step) for n in range(steps)]


def months(steps: int, width: int) -> list[datetime.date]:
    return [datetime.date(2000 + n * width // 12, n * width % 12 + 1, 1) for n in range(steps)]


WORKING = [day.date() for day in every(400, days=1) if day.weekday() < 5]


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        (every(400, minutes=1), 60),
        (every(400, minutes=15), 96),
        (every(400, minutes=30), 48),
        (every(400, hours=1), 24),
        (every(400, hours=3), 8),
        (every(400, days=1), 7),
        (WORKING, 5),
        (every(400, weeks=1), 52),
        (months(144, 1), 12),
        (months(60, 3), 4),
        (months(60, 12), 6),  # no season
        (every(40, days=11), 6),
        (months(24, 1), 6),  # a quarter of the series
        (months(12, 1), 3),
    ],
)  # fmt: skip
def test_the_season_is_that_of_the_calendar(times: list[Any], steps: int) -> None:
    assert Forecast.assumes(Question(stepped(times), (), ())).get("horizon") == steps


def test_a_number_at_each_date_is_forecast() -> None:
    data = stepped(months(144, 1))
    assert dated_steps(data) == "when"
    for target in ((), ("load",)):
        question = Question(data, target, ())
        assert Forecast.recognises(question) == (95, "numbers in steps of 1 month: load")
        assert Forecast.assumes(question) == {"horizon": 12, "season": 12}


@pytest.mark.parametrize(("years", "steps"), [(60, 6), (11, 2)])
def test_without_a_season_there_are_six_steps_or_a_quarter_of_the_series(years: int, steps: int) -> None:
    question = Question(stepped(months(years, 12)), ("load",), (), {"order": "when"})
    assert Forecast.assumes(question) == {"horizon": steps}


def test_steps_without_dates_are_not_forecast_unasked() -> None:
    data = sequences({"t": [[1, 2, 3]], "load": [[1.5] * 3]}, {"load": "number"})
    assert Forecast.recognises(Question(data, ("load",), ())) is None
