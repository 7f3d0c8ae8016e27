"""A table with dates, given without options: it is read as a person would, and later data is read the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.errors import DataError

DAYS = np.arange("2024-01-01", "2024-03-11", dtype="datetime64[D]")
UNITS = [(n * n) % 11 + n // 10 for n in range(70)]
QUICK: dict[str, Any] = {"steps": 2, "hidden": 4, "batch": 4}


def slashed(day: np.datetime64) -> str:
    year, month, number = str(day).split("-")
    return f"{number}/{month}/{year}"


def write(path: Path, header: str, *columns: Any) -> str:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in zip(*columns, strict=True))]))
    return str(path)


def test_days_and_counts_are_forecast_by_a_week(tmp_path: Path) -> None:
    said: list[str] = []
    file = write(tmp_path / "units.csv", "date,units", map(slashed, DAYS), UNITS)
    model = ur.fit(file, out=tmp_path / "run", say=said.append, **QUICK)
    assert model.config.task.name == "forecast"
    assert model.config.task.own["task.forecast"]["horizon"] == 7
    assert (model.config.data.order, model.config.data.by, model.config.data.date_order) == ("date", None, "dmy")
    assert "horizon: 7, as the steps in time suggest; horizon overrides it" in said
    assert any(line.startswith("season: 7, as the steps in time suggest") for line in said)
    # Alone, these days could be read month first; the run knows better, and sorts them.
    later = write(tmp_path / "later.csv", "date,units", ["03/02/2024", "01/02/2024", "02/02/2024"], [9, 1, 5])
    assert ur.load(tmp_path / "run").predict(later).column("units").to_pylist() == [[1, 5, 9]]


def test_stores_are_series_to_the_letter(tmp_path: Path) -> None:
    stores = [store for _ in DAYS for store in ("007", "7")]
    file = write(tmp_path / "stores.csv", "store,date,units", stores, np.repeat(DAYS, 2), UNITS + UNITS)
    model = ur.fit(file, by="store", out=tmp_path / "run", **QUICK)
    assert (model.config.data.order, model.config.data.by) == ("date", "store")
    answers = model.predict(file)
    assert answers.column("store").to_pylist() == ["007", "7"]


def test_a_target_is_forecast_or_each_row_alone_where_the_task_says_so(tmp_path: Path) -> None:
    table = {"date": DAYS, "rain": UNITS[::-1], "units": UNITS}
    assert ur.fit(table, target="units", out=tmp_path / "a", **QUICK).config.task.name == "forecast"
    alone = ur.fit(table, target="units", task="regress", out=tmp_path / "b", **QUICK)
    assert (alone.config.data.order, list(alone.task.coder.inputs)) == (None, ["rain"])


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    table = {"date": DAYS, "units": UNITS}
    one = ur.fit(table, out=tmp_path / "a", **QUICK)
    two = ur.fit(table, out=tmp_path / "a", resume=True, **QUICK)
    assert one.predict(table).equals(two.predict(table))


def test_later_data_lacks_the_dates(tmp_path: Path) -> None:
    model = ur.fit({"date": DAYS, "units": UNITS}, out=tmp_path / "run", **QUICK)
    with pytest.raises(DataError, match="'date'"):
        model.predict({"units": UNITS})
