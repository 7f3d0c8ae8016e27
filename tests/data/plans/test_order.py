from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from unrolled.data.plans.order import Coins, Permuted, Pools


@pytest.mark.parametrize("keys", [(0, 0), (7, 3), (2**63 - 1, 10**6)])
def test_every_place_is_taken_once(keys: tuple[int, int]) -> None:
    for count in [*range(70), 255, 256, 257, *range(300, 2_001, 61)]:
        assert np.array_equal(np.sort(Permuted(count, *keys)[np.arange(count)]), np.arange(count))


@pytest.mark.parametrize("count", [10**9 + 7, 10**12, 2**62])
def test_an_order_of_any_size_is_looked_up_without_memory(count: int) -> None:
    places = np.unique(np.concatenate([np.arange(500), count - 1 - np.arange(500), np.arange(500) * (count // 501)]))
    tracemalloc.start()
    found = Permuted(count, 5, 1)[places]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6
    assert len(np.unique(found)) == len(places)
    assert 0 <= found.min() < count / 100
    assert count * 0.99 < found.max() < count


def test_another_seed_or_epoch_is_another_order() -> None:
    places = np.arange(100)
    orders = {Permuted(100, *keys)[places].tobytes() for keys in [(1, 0), (1, 1), (2, 0), (0, 1)]}
    assert len(orders) == 4
    assert np.array_equal(Permuted(100, 1, 0)[places[::-1]], Permuted(100, 1, 0)[places][::-1])


@pytest.mark.parametrize("count", [5, 64])
def test_the_first_two_places_are_drawn_evenly(count: int) -> None:
    drawn = np.array([Permuted(count, seed, 0)[np.array([0, 1])] for seed in range(4_000)])
    pairs = np.bincount(drawn[:, 0] * count + drawn[:, 1], minlength=count * count).reshape(count, count)
    apart, each = ~np.eye(count, dtype=bool), len(drawn) / (count * (count - 1))
    free = count * (count - 1) - 1
    chi = float((((pairs[apart] - each) ** 2) / each).sum() / free)
    assert not pairs[~apart].any()
    assert abs(chi - 1) < 4 * (2 / free) ** 0.5
    first = np.bincount(drawn[:, 0], minlength=count)
    chi = float(((first - len(drawn) / count) ** 2).sum() / (len(drawn) / count) / (count - 1))
    assert abs(chi - 1) < 4 * (2 / (count - 1)) ** 0.5


def test_pools_are_read_in_any_order_and_hold_rows_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 5_000)
    pools = Pools(lengths, None, 8, 3, 1)
    batches = [pools[index] for index in range(len(pools))]
    assert sorted(np.concatenate(batches).tolist()) == list(range(5_000))
    assert all(np.array_equal(pools[index], batches[index]) for index in reversed(range(len(pools))))
    padded = sum(int(lengths[rows].max()) * len(rows) for rows in batches)
    assert lengths.sum() / padded > 0.95
    assert any(lengths[a].mean() > lengths[b].mean() for a, b in pairwise(batches))
    with pytest.raises(IndexError):
        pools[len(pools)]


def test_coins_are_fair_and_stay_as_they_fell() -> None:
    coins = Coins(1, 2)
    heads = coins[np.arange(10_000)]
    assert abs(heads.mean() - 0.5) < 0.02
    assert np.array_equal(coins[np.arange(50, 60)], heads[50:60])
