"""The tick by itself, over a pool that counts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import pytest

from unrolled.errors import DataError
from unrolled.serving.batcher import _SHORT, Batcher
from unrolled.serving.live_session import LiveSession
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.waiting import Item, Waiting
from unrolled.streaming._turns import Run


class Pool:
    """Answers a number with the sum of all that it was given."""

    def __init__(self) -> None:
        self.ticks: list[list[tuple[int, list[Any]]]] = []
        self.steps: dict[int, int] = {}
        self.broken: set[str] = set()
        self.slow = 0.0

    def steps_of(self, handle: int) -> int:
        return self.steps.get(handle, 0)

    def push_runs(self, runs: Sequence[tuple[int, Sequence[Any]]]) -> list[Run]:
        self.ticks.append([(handle, list(values)) for handle, values in runs])
        time.sleep(self.slow)
        if self.broken & {value for _, values in runs for value in values if isinstance(value, str)}:
            raise RuntimeError("broken")
        return [self._run(handle, values) for handle, values in runs]

    def _run(self, handle: int, values: Sequence[Any]) -> Run:
        good = list(takewhile(lambda value: value is not None, values))
        self.steps[handle] = self.steps_of(handle) + len(good)
        return [{"y": [handle, value]} for value in good], None if len(good) == len(values) else DataError("is empty")


def run(test: Any, **options: Any) -> tuple[Pool, Batcher]:
    """Run an asynchronous test with a batcher that ticks."""
    pool = Pool()

    async def running() -> Batcher:
        batcher = Batcher(pool, ServeOptions.check(options))  # type: ignore[arg-type]
        batcher.start()
        async with asyncio.timeout(10):
            await test(batcher, pool)
        await batcher.stop()
        return batcher

    return pool, asyncio.run(running())


def session(handle: int) -> LiveSession:
    return LiveSession(f"session {handle}", None, handle)  # type: ignore[arg-type]


def item(*values: Any, n: int | None = None, seconds: float = 10) -> Item:
    return Item(n, values, time.monotonic() + seconds, Waiting(1))


async def step(batcher: Batcher, of: LiveSession, *values: Any, **about: Any) -> Item:
    batcher.submit(of, found := item(*values, **about))
    await found.waiting.done()
    return found


def test_the_first_tick_takes_one_step_of_each_session() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        one, two = session(1), session(2)
        found = await asyncio.gather(step(batcher, one, "a", "b"), step(batcher, two, "c"), step(batcher, one, "d"))
        assert [[answer["y"][1] for answer in each.answers] for each in found] == [["a", "b"], ["c"], ["d"]]
        assert (one.n, two.n, batcher.waiting) == (3, 1, 0)

    pool, _ = run(test)
    assert pool.ticks[0] == [(1, ["a"]), (2, ["c"])]  # how long one takes is not known yet
    assert pool.ticks[1:] == [[(1, ["b"])], [(1, ["d"])]]


def test_a_tick_takes_so_many_steps_of_each_session_that_it_stays_short() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        batcher._work = _SHORT / 6
        one, two = session(1), session(2)
        found = await asyncio.gather(step(batcher, one, *"abcde"), step(batcher, two, "x"))
        assert [len(each.answers) for each in found] == [5, 1]
        assert (one.n, one.last, two.n) == (5, found[0].answers, 1)

    pool, _ = run(test)
    assert pool.ticks[0] == [(1, ["a", "b", "c"]), (2, ["x"])]


def test_a_tick_holds_at_most_so_many_sessions() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        await asyncio.gather(*(step(batcher, session(handle), "x") for handle in range(7)))

    pool, _ = run(test, max_batch=3)
    assert [len(tick) for tick in pool.ticks] == [3, 3, 1]


def test_an_error_ends_its_message_and_nothing_else() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        one, two = session(1), session(2)
        bad, good = await asyncio.gather(step(batcher, one, "a", None, "b"), step(batcher, two, "c", "d"))
        assert (len(bad.answers), str(bad.error), one.n) == (1, "is empty", 1)
        assert (len(good.answers), good.error, two.n) == (2, None, 2)

    run(test)


def test_an_unexpected_error_harms_only_its_step(caplog: pytest.LogCaptureFixture) -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        pool.broken = {"bad"}
        found = await asyncio.gather(*(step(batcher, session(n), value) for n, value in enumerate(["a", "bad", "b"])))
        assert [len(each.answers) for each in found] == [1, 0, 1]
        assert str(found[1].error) == "internal error (RuntimeError): the step was not taken"
        assert batcher.alive

    run(test)
    assert "a tick of 3 steps failed" in caplog.text


def test_steps_that_come_too_late_never_reach_a_tick() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        late, gone, one = item("late", seconds=-1), item("gone"), session(1)
        batcher.submit(one, late)
        batcher.submit(one, gone)
        waiter = asyncio.ensure_future(gone.waiting.done())
        await asyncio.sleep(0)
        waiter.cancel()
        await late.waiting.done()
        assert isinstance(late.error, Refused) and late.error.kind == "Expired" and late.error.status == 504
        assert (await step(batcher, one, "x")).number == 1

    pool, _ = run(test)
    assert pool.ticks == [[(1, ["x"])]]


def test_what_waits_is_bounded() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        one = session(1)
        items = [item("x") for _ in range(2)]
        for each in items:
            batcher.submit(one, each)
        with pytest.raises(Refused) as refused:
            batcher.submit(one, item("x"))
        assert (refused.value.kind, refused.value.status) == ("Busy", 429)
        with pytest.raises(Refused) as refused:
            batcher.submit(session(2), item("x", "x", "x"))
        assert (refused.value.kind, refused.value.status, refused.value.retry) == ("Overloaded", 503, 0.05)
        batcher.submit(session(3), last := item("x", "x"))
        await last.waiting.done()
        assert batcher.waiting == 0

    run(test, session_waiting=2, waiting=4)


def test_a_batcher_that_has_died_says_so_and_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        assert batcher.alive
        batcher._take = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        found = await step(batcher, session(1), "x")
        assert isinstance(found.error, Refused) and found.error.kind == "Overloaded"
        assert not batcher.alive
        with pytest.raises(Refused):
            batcher.submit(session(2), item("x"))

    run(test)
    assert "the batcher has ended" in caplog.text


def test_a_session_whose_state_grows_has_an_end() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        batcher._most_steps = 3
        one = session(1)
        assert (await step(batcher, one, "a", "b")).error is None
        too_long = await step(batcher, one, "c", "d")
        assert (str(too_long.error), one.n) == ("a session of this model has at most 3 steps: open a new one", 2)
        assert (await step(batcher, one, "b", "c", n=2)).error is None  # the first of them was taken before
        assert one.n == 3

    run(test)


def test_a_long_tick_leaves_the_loop_free() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        pool.slow, batcher._work = 0.05, 1.0
        start = time.monotonic()
        task = asyncio.create_task(step(batcher, session(1), "y"))
        await asyncio.sleep(0.01)
        assert time.monotonic() - start < 0.05
        assert batcher.alive
        await task

    run(test)


@pytest.mark.parametrize(("bound", "beside"), [(100, True), (3, False)])
def test_where_much_waits_a_longer_tick_runs_in_the_loop(bound: int, beside: bool) -> None:
    """In the loop no message is read meanwhile, most of which would have to be refused."""

    async def test(batcher: Batcher, pool: Pool) -> None:
        batcher._work = 4 * _SHORT
        await asyncio.gather(step(batcher, session(1), "a"), step(batcher, session(2), "b"))
        batcher._work = 3 * _SHORT  # of two sessions 30 ms
        threads: list[int] = []
        push = pool.push_runs
        pool.push_runs = lambda runs: threads.append(threading.get_ident()) or push(runs)  # type: ignore[method-assign]
        await asyncio.gather(step(batcher, session(1), "a"), step(batcher, session(2), "b"))
        assert [thread != threading.get_ident() for thread in threads] == [beside]

    run(test, waiting=bound)


def test_at_the_end_what_was_not_taken_is_refused() -> None:
    async def test(batcher: Batcher, pool: Pool) -> None:
        pool.slow, batcher._work = 0.05, 1.0  # a tick runs in the worker thread
        one, two = session(1), session(2)
        first = asyncio.create_task(step(batcher, one, "a", "b"))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(step(batcher, two, "c"))
        await asyncio.sleep(0)
        await batcher.stop()
        taken, left = await first, await second
        assert (len(taken.answers), one.n) == (1, 1)
        assert (len(left.answers), two.n) == (0, 0)
        assert isinstance(left.error, Refused) and left.error.kind == "Draining"
        with pytest.raises(Refused):
            batcher.submit(two, item("x"))

    run(test)
