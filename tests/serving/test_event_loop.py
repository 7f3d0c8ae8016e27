from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

import pytest

from unrolled.serving.event_loop import _MOST, new_event_loop


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")
def test_each_turn_looks_at_few_connections_and_all_have_theirs() -> None:
    count = 2 * _MOST + 10
    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(count)]
        for one in (end for pair in pairs for end in pair):
            stack.enter_context(one)
        loop = stack.enter_context(contextlib.closing(new_event_loop()))
        turns, read = list[int](), set[int]()

        async def turn() -> None:
            for number, (ours, theirs) in enumerate(pairs):
                loop.add_reader(ours, read.add, number)
                theirs.send(b"x")
            for _ in range(12):
                before = len(read)
                await asyncio.sleep(0)
                turns.append(len(read) - before)
            for ours, _ in pairs:
                loop.remove_reader(ours)

        loop.run_until_complete(turn())
    assert max(turns) <= _MOST
    assert read == set(range(count))
