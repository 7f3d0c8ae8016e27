from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from samples import sequences

from unrolled.data.tables import forecast_split
from unrolled.data.tables.forecast_split import hold_out_forecasts
from unrolled.errors import DataError, UsageError


def split(
    cells: list[list[Any]], fraction: float, horizon: int, seed: int = 0, **others: Any
) -> tuple[list[int], list[int]]:
    """How many steps of each row are trained on, and where the held-out ones begin."""
    table = {"load": pa.array(cells, pa.list_(pa.float64())), **others}
    data = sequences(table, dict.fromkeys(table, "number"))
    train, rest = hold_out_forecasts(data, fraction, horizon, tuple(table), seed)
    assert rest.first is not None
    assert rest.table.column("load") == data.table.column("load")
    return [len(row) for row in train.table.column("load").to_pylist()], rest.first.tolist()


@pytest.mark.parametrize(
    ("steps", "fraction", "horizon", "kept"),
    [
        (30, 0.1, 12, 18),  # a horizon is more than 10 %
        (50, 0.1, 12, 38),
        (100, 0.1, 12, 88),
        (200, 0.1, 12, 180),  # and here it is less
        (25, 0.1, 12, 13),  # the least: one forecast to learn from
        (12, 0.1, 4, 8),
        (30, 0.9, 6, 7),  # a share that would leave nothing to learn from
        (3, 0.1, 1, 2),
    ],
)
def test_at_least_one_forecast_is_held_out(steps: int, fraction: float, horizon: int, kept: int) -> None:
    assert split([[float(n) for n in range(steps)]], fraction, horizon) == ([kept], [kept])


def test_series_that_are_too_short_are_trained_on() -> None:
    rows = [[1.0] * n for n in (24, 13, 12, 3, 1)]
    assert split(rows, 0.1, 6)[0] == [18, 7, 12, 3, 1]


def test_steps_without_a_known_target_do_not_count() -> None:
    row = [float(n) for n in range(160)] + [None] * 40
    assert split([row], 0.1, 6) == ([144], [144])
    whole = [float(n) for n in range(200)]
    other = pa.array([whole], pa.list_(pa.float64()))
    assert split([row], 0.1, 6, other=other) == ([180], [180])  # one of the channels is known


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (24, r"sample\.csv: the longest series has 24 steps with a known target, but to forecast 12 steps takes 25: 12 to "
             r"validate on, and the others to learn from \(try horizon 11, or valid 0, which trains without validation\)"),
        (12, r"\(try horizon 5, or give longer series\)"),
        (2, r"\(give longer series\)"),
    ],
)  # fmt: skip
def test_too_little_names_what_would_work(steps: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split([[1.0] * steps], 0.1, 12)


def test_a_target_that_is_never_known_is_refused() -> None:
    with pytest.raises(DataError, match="the longest series has 0 steps with a known target"):
        split([[None] * 50], 0.1, 5)


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="must be between 0 and 1, not 1"):
        split([[1.0] * 50], 1, 5)


def test_first_is_the_border_of_each_row() -> None:
    data = sequences({"x": [[1.0] * 20, [1.0] * 3]}, {"x": "number"})
    _, rest = hold_out_forecasts(data, 0.2, 2, ("x",))
    assert np.array_equal(rest.first, [16, 3])


def test_of_very_many_short_series_some_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a horizon, which is far more than the share of all steps that was asked for."""
    rows = [[1.0] * 20] * 50
    assert split(rows, 0.01, 6)[0] == [14] * 50
    monkeypatch.setattr(forecast_split, "_ENOUGH", 100)
    kept, first = split(rows, 0.01, 6)
    assert sorted(kept) == [14] * 16 + [20] * 34 and kept == first  # 96 of 100 steps
    assert sorted(split(rows, 0.2, 6)[0]) == [14] * 33 + [20] * 17  # a fifth of the 1000 steps, since so much was asked
    assert sorted(split(rows, 0.01, 6, seed=1)[0]) == sorted(kept) and split(rows, 0.01, 6, seed=1)[0] != kept
    monkeypatch.setattr(forecast_split, "_ENOUGH", 1)
    assert sorted(split(rows, 0.001, 6)[0]) == [14] + [20] * 49
