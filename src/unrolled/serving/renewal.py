"""Sessions that go on with new weights, which read their last values again: a state means nothing to other weights.

The steps keep their numbers, and what waits is answered with the new weights.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from unrolled.errors import UnrolledError
from unrolled.serving.batcher import Batcher
from unrolled.serving.live_session import LiveSession
from unrolled.serving.served import Served
from unrolled.streaming.pool import Pool

__all__ = ["held", "read_again", "renew"]

_AT_ONCE = 4096  # values that are read before others get their turn


@asynccontextmanager
async def held(session: LiveSession) -> AsyncIterator[Batcher]:
    """Keep a session from being stepped and from going to other weights: the batcher that steps it."""
    while True:
        batcher = session.model.batcher
        async with batcher.lock:
            if session.model.batcher is batcher:
                yield batcher
                return


async def renew(sessions: Sequence[LiveSession], new: Served) -> list[LiveSession]:
    """Let sessions of older weights go on with those of ``new``.

    Returns those that do. The others stay as they are: the new model does not take their values.
    """
    moved: list[LiveSession] = []
    for few in _parts(sessions):
        old = few[0].model.batcher
        async with old.lock, new.batcher.lock:  # in this order, and nobody else holds two
            still = [session for session in few if session.model.batcher is old]
            handles = await asyncio.to_thread(read_again, new.batcher.pool, [list(one.past or ()) for one in still])
            for session, handle in zip(still, handles, strict=True):
                if handle is None:
                    session.past = None  # it is not tried again
                    continue
                old.pool.close(session.handle)
                new.batcher.pool.renumber(handle, session.n)
                old.hand_over(session, new.batcher)
                session.model, session.handle, session.saved = new, handle, -1
                moved.append(session)
    return moved


def read_again(pool: Pool, values: Sequence[Sequence[Any]]) -> list[int | None]:
    """New sessions that have read these values: their handles, or ``None`` where one is refused."""
    handles = [pool.open() for _ in values]
    read = [(handle, value) for handle, past in zip(handles, values, strict=True) for value in past]
    answers = pool.push(read)
    wrong = {handle for (handle, _), answer in zip(read, answers, strict=True) if isinstance(answer, UnrolledError)}
    for handle in wrong:
        pool.close(handle)
    return [None if handle in wrong else handle for handle in handles]


def _parts(sessions: Sequence[LiveSession]) -> Iterator[list[LiveSession]]:
    """Sessions of the same weights, with so many values together, or one session."""
    part: list[LiveSession] = []
    size = 0
    for session in sorted(sessions, key=lambda one: id(one.model)):
        more = len(session.past or ())
        if part and (session.model is not part[0].model or size + more > _AT_ONCE):
            yield part
            part, size = [], 0
        part.append(session)
        size += more
    if part:
        yield part
