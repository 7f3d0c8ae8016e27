"""Replay: how many old rows an epoch has, and that they come in turn, by the seed and the epoch only."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.training.old_rows import Replay


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_an_epoch_has_all_new_rows_and_the_share_of_old_ones(share: float) -> None:
    rows = Replay(100, share, 0).rows(300, 3)
    assert rows[:100].tolist() == list(range(100))
    assert ((rows >= 100).mean() - share) == pytest.approx(0, abs=0.005)
    assert rows.max() < 300


def test_each_old_row_comes_before_any_comes_again() -> None:
    replay = Replay(30, 0.25, 7)  # ten of twenty old rows an epoch
    first, second, third = (replay.rows(50, epoch)[30:] for epoch in range(3))
    assert sorted([*first, *second]) == list(range(30, 50))
    assert sorted(third) != sorted(first)


def test_it_depends_on_the_seed_and_the_epoch_only() -> None:
    rows = Replay(30, 0.25, 7).rows(50, 5)
    assert np.array_equal(rows, Replay(30, 0.25, 7).rows(50, 5))
    assert not np.array_equal(rows, Replay(30, 0.25, 8).rows(50, 5))


def test_few_old_rows_come_several_times() -> None:
    assert sorted(Replay(10, 0.5, 0).rows(12, 1)[10:].tolist()) == [10] * 5 + [11] * 5
    assert Replay(10, 0.5, 0).rows(10, 1).tolist() == list(range(10))
