"""The tick: the next steps of each session that has some waiting, taken together.

Nothing waits on purpose. While one tick runs, steps gather, and the next tick takes them all: under load the batches
form by themselves. Of a message of many steps, a tick takes no more than leaves it short.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from unrolled.errors import UnrolledError
from unrolled.serving.long_values import LongValues
from unrolled.serving.refusals import Refused, kind_of
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.waiting import Item, Stepped
from unrolled.streaming._turns import Run
from unrolled.streaming.pool import Pool

__all__ = ["Batcher", "Watch"]

Watch = Callable[[float, int], None]

_log = logging.getLogger("unrolled.serving")
_SHORT = 5e-3  # seconds: a longer tick runs in the worker thread; a shorter one ends before Python would change threads
_LONGER = 40e-3  # the same where much waits: what the loop read meanwhile would have to be refused, at the tick's cost
_SMOOTH = 0.2  # weight of the newest tick in the running mean
_STUCK = 30.0  # seconds of a tick after which the server no longer counts as alive


class Batcher:
    """Steps the sessions of one model.

    Args:
        pool: the model's sessions. Whoever else touches it holds `lock`.
        options: of the server.
        watch: is called after each tick with its seconds and its steps.
        grows: whether the state of a session grows with each step.
        long: takes long values; without it, ticks do.

    Attributes:
        lock: held while the pool works.
        waiting: the steps that wait.
        steps: those that were taken.
        errors: type of an error -> the items that ended with it.
    """

    def __init__(
        self,
        pool: Pool,
        options: ServeOptions,
        watch: Watch = lambda *_: None,
        *,
        grows: bool = False,
        long: LongValues | None = None,
    ) -> None:
        self.pool, self._options, self._watch = pool, options, watch
        self._most_steps = options.session_steps if grows else None
        self.steps, self.errors = 0, Counter[str]()
        self.lock = asyncio.Lock()
        self.waiting = 0
        self._ready: deque[Stepped] = deque()
        self._wake = asyncio.Event()
        self._worker = ThreadPoolExecutor(1, "tick")
        self._seconds = 0.0  # of one step, as a running mean over ticks
        self._work = 0.0  # the same without what other processes took meanwhile
        self._since: float | None = None  # when the tick that runs now began
        self._task: asyncio.Task[None] | None = None
        self._taken: list[Stepped] = []  # those whose step is being taken
        self._long = long
        self._beside: dict[Stepped, tuple[Item, asyncio.Task[None]]] = {}  # those whose long value is being taken
        self._closed: Refused | None = None  # why no more steps are taken
        self._dead = False

    def start(self) -> None:
        """Begin to tick, in the running loop."""
        self._task = asyncio.create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether it ticks, and no tick hangs."""
        stuck = self._since is not None and time.monotonic() - self._since > _STUCK
        return self._task is not None and not self._dead and not stuck

    def submit(self, session: Stepped, item: Item) -> None:
        """Let an item wait for its steps; its `Waiting` learns when they are answered.

        Raises:
            Refused: too much waits already, or the server is about to end.
        """
        if self._closed is not None:
            raise self._closed
        items, options, steps = session.items, self._options, len(item.values)
        if len(items) >= options.session_waiting:
            retry, most = len(items) * self._seconds, options.session_waiting
            raise Refused("Busy", f"{most} messages of this session wait already: wait for an answer", retry=retry)
        if self.waiting + steps > options.waiting:
            retry = self.waiting * self._seconds
            raise Refused("Overloaded", f"{options.waiting} steps wait already: try again later", retry=retry)
        self.waiting += steps
        if not items:
            if not self._ready:
                self._wake.set()
            self._ready.append(session)
        items.append(item)

    async def stop(self) -> None:
        """End after the tick that runs; steps that were not taken are refused, for their clients to repeat."""
        self._closed = Refused("Draining", "the server is about to end: connect again and repeat the step")
        async with self.lock:
            self._refuse_all(self._closed)
        if self._task is not None:
            self._task.cancel()
        if self._long is not None:
            self._long.stop()
        self._worker.shutdown(wait=False)

    def refuse(self, session: Stepped, refused: Refused) -> None:
        """Refuse whatever of a session waits; the caller holds `lock`."""
        self._beside.pop(session, None)
        while session.items:
            self._done(session, refused)
        if session in self._ready:
            self._ready.remove(session)

    def hand_over(self, session: Stepped, other: Batcher) -> None:
        """Let ``other`` step what waits of a session; the caller holds the `lock` of both."""
        self._beside.pop(session, None)
        if session in self._ready:
            self._ready.remove(session)
        steps = sum(len(item.values) for item in session.items)
        self.waiting -= steps
        other.waiting += steps
        if session.items:
            other._ready.append(session)
            other._wake.set()

    def _refuse_all(self, refused: Refused) -> None:
        for session in [*self._taken, *self._ready, *self._beside]:
            self.refuse(session, refused)

    async def _run(self) -> None:
        try:
            await self._tick_for_ever()
        except Exception:  # nothing is known that could raise one: the server says that it is dead, and hangs nobody
            _log.exception("the batcher has ended")
            self._dead, self._closed = True, Refused("Overloaded", "this server no longer answers: try another one")
            self._refuse_all(self._closed)

    async def _tick_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._options.linger)  # at least one turn, in which every socket hands in its step
            async with self.lock:
                self._taken = self._take()
                if self._taken:
                    self._answer(self._taken, await self._push(self._taken))
                    self._taken = []
            if not self._ready:
                self._wake.clear()

    def _take(self) -> list[Stepped]:
        """The sessions whose oldest item gets a step in this tick."""
        now, taken = time.monotonic(), []
        for _ in range(min(len(self._ready), self._options.max_batch)):
            session = self._ready.popleft()
            while session.items and not self._begins(session, session.items[0], now):
                pass
            if session.items and self._long is not None and self._long.has(session.items[0]):
                self._take_beside(session, self._long)
            elif session.items:
                taken.append(session)
        return taken

    def _take_beside(self, session: Stepped, long: LongValues) -> None:
        item, state = session.items[0], self.pool.snapshot(session.handle)
        self._beside[session] = item, asyncio.create_task(self._push_beside(session, item, state, long))

    async def _push_beside(self, session: Stepped, item: Item, state: bytes, long: LongValues) -> None:
        """Take a long value of a session; unless its items were refused meanwhile, it goes on from there."""
        try:
            (answers, refused), after = await long.push(state, item)
        except Exception as error:
            _log.exception("a long step failed")
            answers, refused, after = [], _internal(error), state
        async with self.lock:
            if self._beside.get(session, (None,))[0] is not item:
                return
            del self._beside[session]
            if answers:
                handle = self.pool.open(after)
                try:
                    self.pool.close(session.handle)
                    session.handle = handle
                except UnrolledError as closed:
                    self.pool.close(handle)
                    answers, refused = [], closed
            self._answer([session], [(answers, refused)])
            self._wake.set()

    def _begins(self, session: Stepped, item: Item, now: float) -> bool:
        """Whether the item needs a step; one that does not is done with."""
        if item.waiting.cancelled:
            self._done(session)
            return False
        if now > item.deadline:
            self._done(session, Refused("Expired", f"the step waited for more than {self._options.deadline:g} seconds"))
            return False
        if item.begun:
            return True
        item.begun = True
        try:
            item.begin(session.n, session.last)
            if self._most_steps is not None:
                self._check_length(session.n + len(item.values) - len(item.answers), self._most_steps)
        except Refused as refused:
            self._done(session, refused)
            return False
        if item.answers and item.complete:
            self._done(session)
            return False
        return True

    def _check_length(self, steps: int, most: int) -> None:
        if steps > most:
            raise Refused("Conflict", f"a session of this model has at most {most} steps: open a new one")

    async def _push(self, taken: Sequence[Stepped]) -> list[Run]:
        each = self._at_once(len(taken))
        runs = [(session.handle, session.items[0].next_values(each)) for session in taken]
        steps = sum([len(values) for _, values in runs])
        self._since = start = time.monotonic()
        try:
            if self._work * steps < (_LONGER if 2 * self.waiting > self._options.waiting else _SHORT):
                return self._pushed(runs, steps)
            return await asyncio.get_running_loop().run_in_executor(self._worker, self._pushed, runs, steps)
        except Exception:
            _log.exception("a tick of %d steps failed; each session is tried by itself", steps)
            return [self._alone(session, values) for session, (_, values) in zip(taken, runs, strict=True)]
        finally:
            self._since = None
            took = time.monotonic() - start
            self._seconds += _SMOOTH * (took / steps - self._seconds)
            self._watch(took, steps)

    def _pushed(self, runs: Sequence[tuple[int, Sequence[Any]]], steps: int) -> list[Run]:
        start = time.thread_time()
        try:
            return self.pool.push_runs(runs)
        finally:
            self._work += _SMOOTH * ((time.thread_time() - start) / steps - self._work)

    def _at_once(self, sessions: int) -> int:
        """How many steps of each session a tick takes: so many that it stays short, and at least one."""
        in_all = min(self._options.max_batch, int(_SHORT / self._work)) if self._work else 0
        return max(1, in_all // sessions)

    def _alone(self, session: Stepped, values: Sequence[Any]) -> Run:
        """The answers to the steps of one session of a tick that failed, unless that tick has taken them."""
        if self.pool.steps_of(session.handle) != session.n:
            return [], UnrolledError("the answer of this step was lost: open a new session")
        answers: list[dict[str, Any]] = []
        for value in values:
            try:
                ((found, refused),) = self.pool.push_runs([(session.handle, [value])])
            except Exception as error:
                _log.exception("a step failed")
                return answers, _internal(error)
            answers += found
            if refused is not None:
                return answers, refused
        return answers, None

    def _answer(self, taken: Sequence[Stepped], runs: Sequence[Run]) -> None:
        for session, (answers, refused) in zip(taken, runs, strict=True):
            items = session.items
            item = items[0]
            if answers:
                item.answers = item.answers + answers if item.answers else answers
                session.taken(item.answers, len(answers))
                self.steps += len(answers)
            if refused is not None or item.complete:
                self._done(session, refused)
            if items:
                self._ready.append(session)

    def _done(self, session: Stepped, error: UnrolledError | None = None) -> None:
        item = session.items.popleft()
        self.waiting -= len(item.values)
        item.error = error
        if error is not None:
            self.errors[kind_of(error)] += 1
        item.waiting.one_is_done()


def _internal(error: Exception) -> UnrolledError:
    return UnrolledError(f"internal error ({type(error).__name__}): the step was not taken")
