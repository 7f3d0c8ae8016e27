"""An order block by block: each row once, neighbours from many blocks, and nearly in the order of the file."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from unrolled.data.plans.block_order import Blocked, drawn
from unrolled.data.plans.order import Permuted
from unrolled.data.plans.windows import Rows, Windows


@pytest.mark.parametrize("keys", [(0, 0), (7, 3)])
def test_each_row_comes_once(keys: tuple[int, int]) -> None:
    for count in [*range(40), 127, 128, 1_000, 1_001, 2_047]:
        for blocks in (1, 2, 3, 64, 200, 5_000):
            order = Blocked(count, blocks, *keys)
            assert np.array_equal(np.sort(order[np.arange(count)]), np.arange(count)), (count, blocks)


def test_a_batch_has_rows_of_as_many_blocks_as_it_has_rows() -> None:
    size, blocks = 50, 700
    order = Blocked(size * blocks, blocks, 3, 1)[np.arange(size * blocks)]
    starts = np.arange(0, size * blocks - 64, 64)
    many = [len(np.unique(order[start : start + 64] // size)) for start in starts]
    groups = np.unique(order[: 140 * size] // size)
    assert min(many) >= 32 and np.mean(np.array(many) == 64) > 0.9
    assert len(groups) < 290  # the first rows are of one or two groups of blocks


def test_neighbours_in_the_data_are_no_neighbours_in_a_batch() -> None:
    order = Blocked(100_000, 200, 0, 0)[np.arange(100_000)]
    assert np.mean(np.abs(np.diff(order)) <= 1) < 1e-3
    within = order[np.flatnonzero(order // 500 == 17)] % 500  # the rows of a block, as they come
    assert abs(np.corrcoef(within, np.arange(500))[0, 1]) < 0.2
    other = order[np.flatnonzero(order // 500 == 18)] % 500
    assert np.mean(within == other) < 0.1  # two blocks do not give their rows in one order


def test_it_is_looked_up_at_any_place_without_memory() -> None:
    places = np.arange(10**9, 10**9 + 500)
    order = Blocked(10**10, 10**5, 1, 2)
    tracemalloc.start()
    found = order[places]
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
    assert np.array_equal(order[places[::-1]], found[::-1]) and len(np.unique(found)) == 500
    assert not np.array_equal(Blocked(10**10, 10**5, 1, 3)[places], found)


def test_plans_take_it() -> None:
    lengths = np.random.default_rng(0).integers(1, 9, 5_000)
    for plan in (
        Rows(lengths, 32, 1, 0, blocks=100),
        Rows(lengths, 32, 1, 0, tokens=200, blocks=100),
    ):
        rows = [plan[index].rows for index in range(len(plan))]
        assert sorted(np.concatenate(rows).tolist()) == list(range(5_000))
        assert np.array_equal(plan[7].rows, rows[7])
    ends = np.full(4_000, 3)
    windows = Windows.every(Windows(np.arange(4_000), ends, 3, 8)._ends, 3, 8, 1, 0, 50)
    assert sorted(np.concatenate([windows[at].rows for at in range(len(windows))]).tolist()) == list(range(4_000))
    assert isinstance(drawn(9, None, 1), Permuted)
