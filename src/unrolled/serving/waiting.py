"""Steps that wait for a tick: the items of a message, and what is told when all of them are answered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from unrolled.errors import UnrolledError
from unrolled.serving.refusals import Refused

__all__ = ["Item", "Stepped", "Waiting"]


class Waiting:
    """What a client's message waits for: that all of its items are done.

    Args:
        items: how many there are.
        tell: is called when they are; without it, somebody waits for `done`.
    """

    __slots__ = ("_future", "_left", "_tell")

    def __init__(self, items: int, tell: Callable[[], None] | None = None) -> None:
        self._left, self._tell = items, tell
        self._future: asyncio.Future[None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._future is not None and self._future.cancelled()

    def one_is_done(self) -> None:
        """Count an item that is answered or refused."""
        self._left -= 1
        if self._left:
            return
        if self._tell is not None:
            self._tell()
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def done(self) -> None:
        """Wait until every item is."""
        if self._left:
            self._future = asyncio.get_running_loop().create_future()
            await self._future


class Item:
    """Steps of one session that came in one message.

    Args:
        number: of the first step; ``None``: the next one.
        values: one a step.
        deadline: when it is too late to take them, on the monotonic clock.
        waiting: what is told when they are done.

    Attributes:
        answers: one for each step so far.
        error: why there are no more.
    """

    __slots__ = ("answers", "begun", "deadline", "error", "number", "values", "waiting")

    def __init__(self, number: int | None, values: Sequence[Any], deadline: float, waiting: Waiting) -> None:
        self.number, self.values, self.deadline, self.waiting = number, values, deadline, waiting
        self.answers: list[dict[str, Any]] = []
        self.error: UnrolledError | None = None
        self.begun = False

    def next_values(self, most: int) -> Sequence[Any]:
        """The values of the steps that come next, so many at most."""
        first = len(self.answers)
        return self.values[first : first + most] if first or len(self.values) > most else self.values

    @property
    def complete(self) -> bool:
        """Whether every step is answered."""
        return len(self.answers) == len(self.values)

    def begin(self, taken: int, last: Sequence[dict[str, Any]]) -> None:
        """Find its place in the session: a step that was taken before is answered again, and not taken again.

        Args:
            taken: how many steps the session has taken.
            last: the answers of the last of them.

        Raises:
            Refused: steps are missing between, or were answered too long ago.
        """
        if self.number is None or self.number == taken + 1:
            self.number = taken + 1
            return
        number = self.number
        before = taken + 1 - number
        if before < 0:
            raise Refused("Conflict", f"the next step is {taken + 1}, not {number}", n=taken)
        if before > len(last):
            raise Refused("Conflict", f"the next step is {taken + 1}; step {number} is no longer remembered", n=taken)
        self.answers += last[len(last) - before :][: len(self.values)]


class Stepped(Protocol):
    """What the tick needs to know of a session: where its state is, how far it is, and what waits for it."""

    handle: int
    n: int
    last: list[dict[str, Any]]
    items: deque[Item]

    def taken(self, answers: list[dict[str, Any]], steps: int) -> None:
        """Count steps, the last ones of ``answers``."""
