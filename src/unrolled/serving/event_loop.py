"""The event loop of a server: of all connections on which something came, it looks at only so many at a time.

asyncio looks at all of them before anything else has a turn. Where thousands ask for more than can be done, the steps
that were taken would wait until every one of the others is refused.
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
import sys

__all__ = ["new_event_loop"]

_MOST = 128  # connections at a time; fewer would make small batches of the steps that come together


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The loop, where the system has epoll, which begins with the others the next time; else that of asyncio."""
    return asyncio.SelectorEventLoop(_Few()) if sys.platform == "linux" else asyncio.new_event_loop()


if sys.platform == "linux":

    class _Few(selectors.EpollSelector):
        """Finds at most `_MOST` files that are ready."""

        _selector: select.epoll
        _fd_to_key: dict[int, selectors.SelectorKey]

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            wait = -1 if timeout is None else max(0.0, math.ceil(timeout * 1e3) * 1e-3)  # epoll counts milliseconds
            found = []
            for file, event in self._selector.poll(wait, _MOST):
                if (key := self._fd_to_key.get(file)) is not None:
                    events = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                    events |= selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                    found.append((key, events & key.events))
            return found
