from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.plans import windows
from unrolled.data.plans.counted import Spans
from unrolled.data.plans.masking import Masking
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.windows import Lanes, Pieces, Plan, Rows, Windows

LENGTHS = st.lists(st.integers(0, 40), max_size=12).map(lambda values: np.array(values, np.int64))
SEEDS = st.none() | st.integers(0, 2**63 - 1)


def batches(plan: Plan) -> Iterator[Segments]:
    return (plan[index] for index in range(len(plan)))


def same(a: Segments, b: Segments) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Segments.__slots__)


def scored_steps(plan: Plan) -> list[tuple[int, int]]:
    """(row, step) of every step whose loss counts, in the order of the plan."""
    steps = []
    for batch in batches(plan):
        for row, start, stop, context in zip(batch.rows, batch.starts, batch.stops, batch.scored, strict=True):
            steps += [(int(row), step) for step in range(start + context, stop)]
    return steps


def every_step(lengths: np.ndarray) -> list[tuple[int, int]]:
    return [(row, step) for row, steps in enumerate(lengths) for step in range(steps)]


# --- rows --------------------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 5), SEEDS, st.integers(0, 3))
def test_rows_hold_every_step_once(lengths: np.ndarray, batch: int, seed: int | None, epoch: int) -> None:
    plan = Rows(lengths, batch, seed, epoch)
    assert sorted(scored_steps(plan)) == every_step(lengths)
    assert all(len(segments.rows) <= batch for segments in batches(plan))
    assert all(segments.fresh.all() and not segments.starts.any() for segments in batches(plan))


@pytest.mark.parametrize(("keep", "expected"), [(False, [1, 2]), (True, [0, 1, 2])])
def test_rows_without_steps_are_kept_only_where_they_are_to_be_answered(keep: bool, expected: list[int]) -> None:
    plan = Rows(np.array([0, 3, 1]), 2, keep_empty=keep)
    assert sorted(int(row) for segments in batches(plan) for row in segments.rows) == expected


def test_rows_without_a_seed_go_from_short_to_long() -> None:
    plan = Rows(np.array([5, 1, 3, 1]), 3)
    assert [segments.rows.tolist() for segments in batches(plan)] == [[1, 3, 2], [0]]


def test_rows_of_like_length_share_a_batch() -> None:
    lengths = np.arange(1, 641)
    padded = sum(int(s.stops.max()) * len(s.rows) for s in batches(Rows(lengths, 10, seed=3)))
    assert padded < 1.02 * lengths.sum()  # unsorted batches of ten would pad by three quarters


def test_the_order_is_a_pure_function_of_seed_and_epoch() -> None:
    lengths = np.tile(np.arange(1, 50), 4)

    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [segments.rows.tolist() for segments in batches(Rows(lengths, 8, seed, epoch))]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(1, 1)
    assert plan(1, 0) != plan(2, 0)


@pytest.mark.parametrize("kind", ["rows", "lanes", "windows"])
def test_a_plan_is_read_in_any_order(kind: str) -> None:
    lengths = np.array([30, 7, 0, 101, 12])
    plans: dict[str, Plan] = {
        "rows": Rows(lengths, 2, 5, 1),
        "lanes": Lanes(lengths, 3, 8, 5, 1),
        "windows": Windows(np.arange(4).repeat(5), np.tile(np.arange(5), 4), 3, 4, 5, 1),
    }
    plan = plans[kind]
    forward = list(batches(plan))
    backward = [plan[index] for index in reversed(range(len(plan)))][::-1]
    assert len(forward) > 1
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))


@pytest.mark.parametrize("kind", ["rows", "pieces", "windows"])
def test_the_order_of_many_rows_is_computed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_MANY", 10)
    lengths = np.arange(60) % 7
    plans: dict[str, Callable[[int], Plan]] = {
        "rows": lambda epoch: Rows(lengths, 4, 5, epoch),
        "pieces": lambda epoch: Pieces(lengths, 3, Masking(0.2, 1, 2, 9), 4, 5, epoch),
        "windows": lambda epoch: Windows(np.arange(60), np.ones(60, int), 1, 4, 5, epoch),
    }
    first, again, other = (list(batches(plans[kind](epoch))) for epoch in (1, 1, 2))
    assert sorted(scored_steps(plans[kind](1))) == (
        [(row, 0) for row in range(60)] if kind == "windows" else every_step(lengths)
    )
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not all(same(a, b) for a, b in zip(first, other, strict=True))
    plan = plans[kind](1)
    assert all(same(plan[index], first[index]) for index in reversed(range(len(plan))))


def test_the_plan_of_an_epoch_takes_no_memory_for_its_rows() -> None:
    rows = 3_000_000
    offsets = 5 * np.arange(rows + 1)
    tracemalloc.start()
    plan = Rows(Spans(offsets), 32, seed=1)
    batch = plan[len(plan) // 2]
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(plan), len(batch.rows)) == (-(-rows // 32), 32)
    assert kept < 10**6
    assert peak < 60 * 10**6  # a million rows are looked at together


# --- pieces ------------------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 12), st.integers(1, 5), SEEDS, st.integers(0, 3))
def test_pieces_hold_every_step_once(lengths: np.ndarray, steps: int, batch: int, seed: int | None, epoch: int) -> None:
    masking = Masking(0.2, 1, 2, 9)
    plan = Pieces(lengths, steps, masking, batch, seed, epoch)
    assert not plan.carries
    assert plan.transforms == (masking,)
    assert sorted(scored_steps(plan)) == every_step(lengths)
    for segments in batches(plan):
        size = segments.stops - segments.starts
        assert len(size) <= batch
        assert segments.fresh.all()
        assert size.min() >= 1
        assert size.max() <= steps


def test_a_long_row_is_cut_into_equal_pieces_and_a_short_one_not_at_all() -> None:
    plan = Pieces(np.array([10, 0, 4, 3]), 4, Masking(0.2, 0, 0, 9), 9)
    (only,) = batches(plan)
    pieces = sorted(zip(only.rows.tolist(), only.starts.tolist(), only.stops.tolist(), strict=True))
    assert pieces == [(0, 0, 3), (0, 3, 6), (0, 6, 10), (2, 0, 4), (3, 0, 3)]


# --- lanes -------------------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 5), st.integers(1, 9), SEEDS, st.integers(0, 3))
def test_lanes_hold_every_step_once(lengths: np.ndarray, lanes: int, window: int, seed: int | None, epoch: int) -> None:
    plan = Lanes(lengths, lanes, window, seed, epoch)
    assert sorted(scored_steps(plan)) == every_step(lengths)
    assert all(int((s.stops - s.starts).max()) <= window for s in batches(plan))


@given(LENGTHS, st.integers(1, 5), st.integers(1, 9), SEEDS)
def test_a_lane_goes_on_where_it_was_or_begins_fresh(
    lengths: np.ndarray, lanes: int, window: int, seed: int | None
) -> None:
    at: dict[int, tuple[int, int]] = {}  # lane -> (row, next step)
    for segments in batches(Lanes(lengths, lanes, window, seed)):
        for lane in range(len(segments.rows)):
            row, start, stop = (int(a[lane]) for a in (segments.rows, segments.starts, segments.stops))
            if start == stop:
                continue  # it waits
            assert bool(segments.fresh[lane]) == (at.get(lane) != (row, start))
            at[lane] = (row, stop)


@given(LENGTHS, st.integers(1, 5), st.integers(1, 9), st.integers(1, 20))
def test_context_comes_before_pieces_that_begin_inside_a_sequence(
    lengths: np.ndarray, lanes: int, window: int, context: int
) -> None:
    plan = Lanes(lengths, lanes, window, context=context)
    assert sorted(scored_steps(plan)) == every_step(lengths)
    begun: dict[int, int] = {}  # lane -> the step at which its piece begins, until its first scored step is met
    for segments in batches(plan):
        for lane in np.flatnonzero(segments.stops > segments.starts):
            start, stop = int(segments.starts[lane]), int(segments.stops[lane])
            first = start + int(segments.scored[lane])
            if segments.fresh[lane]:
                begun[lane] = start
            if lane in begun and first < stop:
                assert begun.pop(lane) == max(first - context, 0)


def test_a_long_sequence_is_cut_into_equal_lanes() -> None:
    plan = Lanes(np.array([100]), 4, 10)
    assert len(plan) == 3
    assert plan[0].starts.tolist() == [0, 25, 50, 75]
    assert plan[2].stops.tolist() == [25, 50, 75, 100]
    assert plan[0].fresh.all()
    assert not plan[1].fresh.any()


def test_there_are_no_more_lanes_than_windows() -> None:
    assert len(Lanes(np.array([25]), 8, 10)[0].rows) == 2
    assert len(Lanes(np.array([3]), 8, 10)[0].rows) == 1
    assert len(Lanes(np.zeros(0, np.int64), 8, 10)) == 0
    assert len(Lanes(np.array([0, 0]), 8, 10)) == 0


def test_windows_of_long_pieces_lie_elsewhere_in_every_epoch() -> None:
    firsts = {int(Lanes(np.array([10_000]), 1, 100, seed=1, epoch=epoch)[0].stops[0]) for epoch in range(8)}
    assert len(firsts) > 4
    assert min(firsts) > 50
    assert max(firsts) <= 100


def test_a_lane_beyond_the_end_is_an_index_error() -> None:
    plan = Lanes(np.array([10]), 1, 10)
    with pytest.raises(IndexError):
        plan[1]


# --- windows -----------------------------------------------------------------------------------------------------


def test_windows_reach_back_as_far_as_the_row_does() -> None:
    plan = Windows(np.array([0, 0, 3]), np.array([1, 5, 9]), lookback=4, batch=2)
    assert len(plan) == 2
    assert (plan[0].rows.tolist(), plan[0].starts.tolist(), plan[0].stops.tolist()) == ([0, 0], [0, 1], [1, 5])
    assert (plan[1].rows.tolist(), plan[1].starts.tolist(), plan[1].stops.tolist()) == ([3], [5], [9])


def test_windows_are_shuffled_by_seed_and_epoch() -> None:
    rows, ends = np.zeros(50, np.int64), np.arange(50)

    def order(seed: int | None, epoch: int = 0) -> list[int]:
        return [int(end) for segments in batches(Windows(rows, ends, 4, 8, seed, epoch)) for end in segments.stops]

    assert order(None) == list(range(50))
    assert sorted(order(1)) == list(range(50))
    assert order(1) == order(1)
    assert len({tuple(order(1)), tuple(order(2)), tuple(order(1, 1)), tuple(order(None))}) == 4


def test_rows_may_be_asked_for_their_last_steps_alone_and_read_from_near_them() -> None:
    lengths, asked, starts = np.array([5, 3, 9]), np.array([4, 3, 7]), np.array([0, 0, 6])
    (found,) = batches(Rows(lengths, 4, starts=starts, asked=asked))
    assert found.rows.tolist() == [0, 2]  # row 1 is asked for nothing
    assert found.starts.tolist() == [0, 6]
    assert found.stops.tolist() == [5, 9]
    assert found.scored.tolist() == [4, 1]


@pytest.mark.parametrize("many", [10**6, 50])
def test_a_batch_holds_as_many_rows_as_have_so_many_steps(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed, and computed."""
    monkeypatch.setattr("unrolled.data.plans.windows._MANY", many)
    lengths = np.random.default_rng(0).lognormal(3, 1, 3_000).clip(1, 400).astype(np.int64)
    plan = Rows(lengths, 32, seed=1, tokens=300)
    batches = [plan[index] for index in range(len(plan))]
    assert sorted(np.concatenate([one.rows for one in batches])) == list(range(3_000))
    padded = np.array([len(one.rows) * one.lengths.max() for one in batches])
    longest = np.array([one.lengths.max() for one in batches])
    assert (padded[longest <= 300] <= 300).all() and {len(one.rows) for one in batches if one.lengths.max() > 300} == {
        1
    }
    assert padded.mean() > 0.85 * 300
    again = Rows(lengths, 32, seed=1, tokens=300)[len(plan) - 1]
    assert again.rows.tolist() == batches[-1].rows.tolist()
