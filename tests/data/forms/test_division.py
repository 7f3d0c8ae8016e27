from __future__ import annotations

import pytest
from samples import sequences

from unrolled.data.forms._division import by_forecast, by_row, by_time, end_of_few, rows_or_end
from unrolled.data.tables import forecast_split
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError


def waves(rows: int) -> Sequences:
    return sequences({"x": [[1.0, 2.0, 3.0, 4.0]] * rows}, {"x": "number"})


def steps(part: Sequences) -> list[int]:
    return [len(cell) for cell in part.table.column("x").to_pylist()]


def test_the_end_of_each_sequence_keeps_its_history() -> None:
    left, part, how = by_time(waves(3), 0.25)
    assert (steps(left), steps(part), how) == ([3] * 3, [4] * 3, "the last 25 % of each sequence")
    assert part.first is not None and part.first.tolist() == [3] * 3


def test_few_sequences_are_cut_at_their_end_without_history_and_many_are_chosen_among() -> None:
    left, part, how = end_of_few(waves(9), 0.25, 0)
    assert (steps(left), steps(part), part.first, how) == ([3] * 9, [1] * 9, None, "the last 25 % of each sequence")
    left, part, how = end_of_few(waves(10), 0.2, 0)
    assert (steps(left), steps(part), how) == ([4] * 8, [4] * 2, "2 of 10 rows, held out at random")


def test_labels_have_the_same_share_of_both_parts_and_numbers_do_not() -> None:
    columns = {"x": list(range(40)), "y": ["rare"] * 4 + ["often"] * 36}
    left, part, _ = by_row(sequences(columns, {"x": "number", "y": "category"}), 0.5, 0, "y")
    for half in (left, part):
        assert half.table.column("y").to_pylist().count("rare") == 2


def test_a_single_row_is_not_divided() -> None:
    with pytest.raises(DataError, match="has only one row, so no rows can be held out for validation"):
        by_row(waves(1), 0.5, 0)


@pytest.mark.parametrize(
    ("cells", "horizon", "how"),
    [
        ([[1.0] * 200], 12, "the last 10 % of each sequence"),
        ([[1.0] * 50], 12, "the last 12 steps of each series, as 10 % would not hold a forecast of 12"),
        ([[1.0] * 100 + [None] * 50], 6, "the last 60 steps of each series, as the target is missing at the end"),
        (
            [[1.0] * 14, [1.0] * 40, [1.0] * 12, [1.0]],
            6,
            "the last 6 steps of each series, as 10 % would not hold a forecast of 6; 2 of 4 series are too short to be judged",
        ),
    ],
)
def test_how_the_end_of_a_series_is_held_out_is_said(cells: list[list[float]], horizon: int, how: str) -> None:
    assert by_forecast(sequences({"x": cells}, {"x": "number"}), 0.1, horizon, ("x",)).how == how


def test_a_single_labelled_series_is_divided_in_time_and_several_by_row() -> None:
    one = sequences({"x": [[1.0] * 40], "y": [["a", "b"] * 20]}, {"x": "number", "y": "category"})
    left, part, how = rows_or_end(one, 0.1, 0, "y")
    assert (steps(left), steps(part), how) == ([36], [40], "the last 10 % of each sequence")
    assert part.first is not None and part.first.tolist() == [36]
    two = sequences({"x": [[1.0]] * 2, "y": [["a"]] * 2}, {"x": "number", "y": "category"})
    assert rows_or_end(two, 0.1, 0, "y").how == "1 of 2 rows, held out at random"


def test_that_only_some_of_very_many_series_are_held_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_split, "_ENOUGH", 100)
    how = by_forecast(sequences({"x": [[1.0] * 20] * 50}, {"x": "number"}), 0.01, 6, ("x",)).how
    assert how == (
        "the last 6 steps of each series, as 1 % would not hold a forecast of 6; "
        "34 of 50 series are not held out, only learned from"
    )
