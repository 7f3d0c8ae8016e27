from __future__ import annotations

from typing import Any

import pytest
from live_sessions import PUSHES, alike, live, pool_of

from unrolled.errors import DataError, ModelError, UsageError
from unrolled.state import flatten


@pytest.mark.parametrize("sample", PUSHES)
def test_each_answer_is_that_of_a_session_of_its_own(sample: str) -> None:
    pool, alone, other = pool_of(sample), live(sample), live(sample)
    a, b = pool.open(), pool.open()
    first, second, *_ = PUSHES[sample]
    assert alike(pool.push([(a, first)]), [alone.push(first)])
    assert alike(pool.push([(b, second), (a, second)]), [other.push(second), alone.push(second)])
    assert alike(pool.push([(a, first), (a, first)]), [alone.push(first), alone.push(first)])
    assert (pool.steps_of(a), pool.steps_of(b), len(pool)) == (4, 1, 2)


def test_a_closed_handle_is_refused_for_ever() -> None:
    pool = pool_of("next_step")
    a = pool.open()
    pool.close(a)
    b = pool.open()
    assert a != b
    (refused, answer) = pool.push([(a, "a"), (b, "a")])
    assert isinstance(refused, UsageError)
    assert str(refused) == f"the session {a} is closed, or was never open: open a new one"
    assert answer == live("next_step").push("a")
    for ask in (pool.close, pool.snapshot, pool.steps_of, lambda handle: pool.save([handle])):
        with pytest.raises(UsageError, match=f"the session {a} is closed"):
            ask(a)


def test_an_item_that_is_refused_harms_no_other() -> None:
    pool, alone = pool_of("forecast"), live("forecast")
    a, b = pool.open(), pool.open()
    good = PUSHES["forecast"][0]
    found = pool.push([(a, good), (a, {"wave": "much", "other": 1.0}), (b, [1.0]), (b, good), (a, good)])
    assert [type(one) for one in found] == [dict, DataError, DataError, dict, dict]
    assert [found[0], found[4]] == [alone.push(good), alone.push(good)]
    assert found[3] == found[0]
    assert pool.steps_of(a) == 2


@pytest.mark.parametrize("sample", PUSHES)
def test_a_run_of_values_ends_with_the_first_that_is_refused(sample: str) -> None:
    pool, one, two = pool_of(sample), live(sample), live(sample)
    a, b, closed = pool.open(), pool.open(), pool.open()
    pool.close(closed)
    first, second, *_ = PUSHES[sample]
    bad = object()
    found = pool.push_runs([(a, [first, second, first]), (closed, [first]), (b, [second, bad, first, bad])])
    assert alike(found[0][0], [one.push(value) for value in (first, second, first)])
    assert alike(found[2][0], [two.push(second)])
    assert [type(error) for _, error in found] == [type(None), UsageError, DataError]
    assert alike(pool.push([(b, first), (a, second)]), [two.push(first), one.push(second)])
    assert (pool.steps_of(a), pool.steps_of(b)) == (4, 2)


def test_what_fails_between_two_values_takes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, alone = pool_of("next_step"), live("next_step")
    pool._remembers = True  # so that each value of a session is encoded after the one before
    a, taken = pool.open(), pool._took

    def took(*about: Any) -> None:
        taken(*about)
        if pool.steps_of(a) == 2:
            raise RuntimeError("out of order")

    monkeypatch.setattr(pool, "_took", took)
    with pytest.raises(RuntimeError):
        pool.push_runs([(a, ["a", "b", "a"])])
    monkeypatch.undo()
    assert pool.steps_of(a) == 0
    assert pool.push([(a, "b")]) == [alone.push("b")]


def test_a_value_of_too_many_steps_is_refused() -> None:
    pool, alone = pool_of("next_step"), live("next_step")
    a = pool.open()
    (refused, answer) = pool.push([(a, "abcab"), (a, "abca")])
    assert str(refused) == "the value has 5 steps, at most 4 are taken at once: send it in parts"
    assert answer == alone.push("abca")


@pytest.mark.parametrize("sample", PUSHES)
def test_snapshots_go_between_pools_and_sessions(sample: str) -> None:
    pool, alone = pool_of(sample), live(sample)
    first, second, *_ = PUSHES[sample]
    alone.push(first)
    a = pool.open(alone.snapshot())
    elsewhere = live(sample)
    elsewhere.restore(pool.snapshot(a))
    expected = alone.push(second)
    assert alike(pool.push([(a, second)]), [expected])
    assert alike(elsewhere.push(second), expected)
    assert pool.steps_of(a) == elsewhere.steps == 2


@pytest.mark.parametrize(("sample", "model"), [*((sample, "lstm") for sample in PUSHES), ("next_step", "transformer")])
def test_each_of_many_snapshots_is_that_of_its_session(sample: str, model: str) -> None:
    pool = pool_of(sample, model)
    handles = [pool.open() for _ in range(3)]
    first, second, *_ = PUSHES[sample]
    pool.push([(handles[0], first), (handles[1], second), (handles[1], first)])
    for handle, snapshot in zip(handles, pool.snapshots(handles), strict=True):
        one, like = pool._read(snapshot), pool._read(pool.snapshot(handle))
        assert (one.before, one.steps) == (like.before, like.steps)
        for (_, found), (_, expected) in zip(flatten(one.state), flatten(like.state), strict=True):
            assert found.equal(expected)
    assert pool.snapshots([]) == []
    states = [pool.snapshot(handle) for handle in handles]
    opened = pool.open_all(states)
    assert [pool.snapshot(handle) for handle in opened if isinstance(handle, int)] == states
    first_one, *errors, last = pool.open_all([states[0], b"damaged", states[2][:-1], states[1]])
    assert isinstance(first_one, int) and isinstance(last, int) and pool.snapshot(last) == states[1]
    assert [type(error) for error in errors] == [ModelError, ModelError]
    assert pool.open_all([]) == []


@pytest.mark.parametrize("sample", PUSHES)
def test_many_sessions_are_saved_as_one_file(sample: str) -> None:
    pool, other = pool_of(sample), pool_of(sample)
    values = PUSHES[sample]
    handles = [pool.open() for _ in range(3)]
    pool.push([(handle, value) for number, handle in enumerate(handles) for value in values[:number]])
    loaded = other.load(pool.save(handles[::-1]))[::-1]
    assert [other.steps_of(handle) for handle in loaded] == [min(number, len(values)) for number in range(3)]
    expected = pool.push([(handle, values[0]) for handle in handles])
    assert other.push([(handle, values[0]) for handle in loaded]) == expected
    assert other.load(pool.save([])) == []


def test_bytes_that_are_not_saved_sessions_are_refused() -> None:
    with pytest.raises(ModelError, match="these 4 bytes are not a snapshot"):
        pool_of("next_step").load(b"junk")
