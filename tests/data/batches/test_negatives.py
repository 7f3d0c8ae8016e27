from __future__ import annotations

import numpy as np

from unrolled.data.batches.negatives import NEGATIVES, negatives

ITEMS = range(3, 203)


def asked(count: int = 50) -> tuple[np.ndarray, ...]:
    """Questions to rows 0, 1, …, and the items of these: row r holds 3 … 3 + r."""
    rows = np.arange(count)
    holders = np.repeat(rows, rows + 1)
    held = np.concatenate([3 + np.arange(row + 1) for row in rows])
    return rows, 7 * rows, holders, held


def test_none_is_of_the_row_and_all_others_are_as_likely() -> None:
    drawn = negatives(*asked(), ITEMS)
    assert drawn.shape == (50, NEGATIVES)
    for row, items in enumerate(drawn):
        assert items.min() > 3 + row and items.max() < 203
    counts = np.bincount(drawn[:10].ravel(), minlength=203)[20:]  # 10 · 100 draws, of nearly 200 items
    assert abs(counts.mean() - 5) < 0.5 and counts.max() < 20


def test_they_depend_on_row_and_step_alone() -> None:
    rows, steps, holders, held = asked()
    drawn = negatives(rows, steps, holders, held, ITEMS)
    order = np.random.default_rng(0).permutation(50)
    assert np.array_equal(negatives(rows[order], steps[order], holders, held, ITEMS), drawn[order])
    own = holders == 4
    assert np.array_equal(negatives(rows[4:5], steps[4:5], holders[own], held[own], ITEMS), drawn[4:5])
    assert not np.array_equal(negatives(rows, steps + 1, holders, held, ITEMS), drawn)


def test_a_row_that_holds_every_item_is_answered_too() -> None:
    one = np.zeros(1, np.int64)
    assert negatives(one, one, np.zeros(5, np.int64), np.arange(3, 8), range(3, 8)).shape == (1, NEGATIVES)
    assert negatives(one, one, one[:0], one[:0], range(3, 8)).min() >= 3
