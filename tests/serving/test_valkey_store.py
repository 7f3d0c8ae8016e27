"""Sessions in a store that several servers share: one of them has a session, and no other can write over it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator

import pytest
from serving.valkey import SERVER, valkey

from unrolled.errors import UsageError
from unrolled.serving.refusals import Refused
from unrolled.serving.store import Record
from unrolled.serving.valkey_store import ValkeyStore

pytest.importorskip("redis", reason="the client of Valkey and Redis is not installed")
needs_server = pytest.mark.skipif(SERVER is None, reason="no valkey-server or redis-server is installed")

Two = Callable[[ValkeyStore, ValkeyStore], Awaitable[None]]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, int]]:
    if SERVER is None:
        pytest.skip("no valkey-server or redis-server is installed")
    with valkey() as (port, process):
        yield port, process.pid


def run(port: int, test: Two, keep: float = 60) -> None:
    async def both() -> None:
        stores = [ValkeyStore(f"valkey://127.0.0.1:{port}/0", keep) for _ in range(2)]
        try:
            await asyncio.wait_for(test(*stores), 20)
        finally:
            for store in stores:
                await store.close()

    asyncio.run(both())


def record(session: str, n: int = 1) -> Record:
    return Record(session, "model", n, [{"y": [n / 3, None]}], bytes(range(256)) * n)


def test_what_is_put_is_taken(server: tuple[int, int]) -> None:
    async def test(one: ValkeyStore, other: ValkeyStore) -> None:
        records = [record(f"plain {k}", k) for k in range(1, 4)]
        assert list(await one.put(records)) == []
        assert await other.take([found.session for found in records]) == records
        assert await other.take(["never put"]) == [None]

    run(server[0], test)


def test_a_server_that_was_cut_off_cannot_write_over_another(server: tuple[int, int]) -> None:
    async def test(one: ValkeyStore, other: ValkeyStore) -> None:
        await one.put([record("moved", 1), record("stays", 1)])
        assert await one.owns("moved")
        await other.take(["moved"])
        assert not await one.owns("moved") and await other.owns("moved")
        assert list(await one.put([record("moved", 9), record("stays", 2)])) == ["moved"]
        assert list(await other.put([record("moved", 2)])) == []
        assert await one.take(["moved", "stays"]) == [record("moved", 2), record("stays", 2)]

    run(server[0], test)


def test_a_session_that_has_ended_stays_so(server: tuple[int, int]) -> None:
    async def test(one: ValkeyStore, other: ValkeyStore) -> None:
        await one.put([record("ended")])
        await other.drop("ended")
        assert list(await one.put([record("ended", 2)])) == ["ended"]
        assert await one.take(["ended"]) == [None]

    run(server[0], test)


def test_it_is_forgotten_after_a_while(server: tuple[int, int]) -> None:
    async def test(one: ValkeyStore, other: ValkeyStore) -> None:
        await one.put([record("old")])
        await asyncio.sleep(1.3)
        assert await other.take(["old"]) == [None]

    run(server[0], test, keep=1)


def test_a_store_that_does_not_answer_is_said_and_comes_back(server: tuple[int, int]) -> None:
    async def test(one: ValkeyStore, _: ValkeyStore) -> None:
        await one.put([record("kept")])
        os.kill(server[1], signal.SIGSTOP)
        try:
            with pytest.raises(Refused, match="the store of the sessions does not answer") as refused:
                await one.take(["kept"])
            assert refused.value.status == 503
        finally:
            os.kill(server[1], signal.SIGCONT)
        assert await one.take(["kept"]) == [record("kept")]

    run(server[0], test)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "valkey://127.0.0.1:none"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="store"):
        ValkeyStore(url, 60)
