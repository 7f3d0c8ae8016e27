from __future__ import annotations

import pytest
from samples import sequences

from unrolled.data.forms._division import by_row, by_time, end_of_few
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
