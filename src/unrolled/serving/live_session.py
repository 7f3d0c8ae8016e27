"""A session in memory: where its state is, how far it is, what waits for it, and who is connected."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from unrolled.serving.served import Served
from unrolled.serving.waiting import Item

__all__ = ["LiveSession"]


class LiveSession:
    """A session in memory.

    Attributes:
        id: what clients call it.
        model: whose session it is.
        handle: its state in the model's pool.
        n: how many steps it has taken.
        last: the answers of the last of them, at least one.
        items: what waits for a step, the oldest first.
        seen: when it was last used, on the monotonic clock.
        saved: how many steps the store knows of; -1 if it does not know the session.
        restored: whether it came from the store.
        socket: the connection that it belongs to, if there is one.
        past: its last values, to be read again by new weights; ``None`` where they are not kept.
    """

    __slots__ = ("handle", "id", "items", "last", "model", "n", "past", "restored", "saved", "seen", "socket")

    def __init__(self, id_: str, model: Served, handle: int, n: int = 0, past: deque[Any] | None = None) -> None:
        self.id, self.model, self.handle, self.n = id_, model, handle, n
        self.last: list[dict[str, Any]] = []
        self.items: deque[Item] = deque()
        self.seen = time.monotonic()
        self.saved, self.restored = -1, False
        self.socket: object | None = None
        self.past = past

    def taken(self, answers: list[dict[str, Any]], steps: int) -> None:
        """Count steps, the last ones of ``answers``."""
        self.n += steps
        self.last = answers
        if self.past is not None:
            self.past += self.items[0].values[len(answers) - steps : len(answers)]

    @property
    def saved_n(self) -> int:
        """How many steps the store knows of, for clients."""
        return max(0, self.saved)

    @property
    def at_rest(self) -> bool:
        """Whether nobody uses it."""
        return not self.items and self.socket is None
