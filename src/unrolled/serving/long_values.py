"""Values that are many steps of the model, such as long texts: a tick that took one would hold up every session."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from unrolled.serving.refusals import Refused
from unrolled.serving.waiting import Item
from unrolled.streaming._turns import Run
from unrolled.streaming.pool import Pool

__all__ = ["LongValues"]

_LONG = 256  # characters, each of which may be a step
_TURN = 2e-4  # seconds until the loop gets the interpreter back from a long value, several times for each message

_usual: list[float] = []  # the interval at other times, once for each long value that is under way


class LongValues:
    """Takes long values beside the ticks, one after the other, each from the saved state of its session.

    Args:
        pool: makes a pool of the model, when the first long value comes.
    """

    def __init__(self, pool: Callable[[], Pool]) -> None:
        self._make = pool
        self._pool: Pool | None = None
        self._worker = ThreadPoolExecutor(1, "long")

    def has(self, item: Item) -> bool:
        """Whether a value of an item is long."""
        return any(map(_is_long, item.values))

    async def push(self, state: bytes, item: Item) -> tuple[Run, bytes]:
        """The answer to the next value of an item, and the state after it, which was ``state`` before."""
        with _short_turns():
            return await asyncio.get_running_loop().run_in_executor(self._worker, self._push, state, item)

    def stop(self) -> None:
        """Begin nothing further."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _push(self, state: bytes, item: Item) -> tuple[Run, bytes]:
        if time.monotonic() > item.deadline:
            return ([], Refused("Expired", "the step waited too long for other long ones")), state
        pool = self._pool = self._pool or self._make()
        handle = pool.open(state)
        try:
            (run,) = pool.push_runs([(handle, item.next_values(1))])
            return run, pool.snapshot(handle)
        finally:
            pool.close(handle)


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """The loop soon gets the interpreter back, as long as any long value is under way."""
    _usual.append(_usual[0] if _usual else sys.getswitchinterval())
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        usual = _usual.pop()
        if not _usual:
            sys.setswitchinterval(usual)


def _is_long(value: Any) -> bool:
    cells = value.values() if isinstance(value, dict) else (value,)
    return any(isinstance(cell, str) and len(cell) > _LONG for cell in cells)
