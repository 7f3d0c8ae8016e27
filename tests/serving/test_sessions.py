from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from serving.test_sockets import value

from unrolled.errors import UsageError
from unrolled.runs.trained import Trained
from unrolled.serving.folder_store import FolderStore
from unrolled.serving.live_session import LiveSession
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.service import Service
from unrolled.serving.store import MemoryStore, Record, Store

Make = Callable[[], Store]


@pytest.fixture(params=["memory", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return lambda: MemoryStore(60) if request.param == "memory" else FolderStore(tmp_path / "kept", 60)


def run(load: Trained, store: Store, test: Callable[[Service], Awaitable[None]], **options: object) -> None:
    async def running() -> None:
        service = Service({"load": load}, ServeOptions.check(options), store)
        service.start()
        async with asyncio.timeout(20):
            await test(service)
        await service.stop()
        await store.close()

    asyncio.run(running())


def record(session: str, n: int = 1, state: bytes = b"state") -> Record:
    return Record(session, "model", n, [{"y": n}], state)


def test_a_session_that_nobody_uses_goes_to_the_store_and_comes_back(load: Trained, make: Make) -> None:
    async def test(service: Service) -> None:
        live, session = load.stream(), await service.open(None)
        pool = session.model.batcher.pool
        for n in (1, 2):
            await service.step(session, n, [value(n)])
            live.push(value(n))
        assert await service.sessions.park() == 0  # it was used a moment ago
        session.seen -= 601
        session.socket = object()
        assert await service.sessions.park() == 0
        session.socket = None
        assert await service.sessions.park() == 1
        assert (len(service.sessions), len(pool)) == (0, 0)
        again, other = await asyncio.gather(service.sessions.find(session.id), service.sessions.find(session.id))
        assert again is other
        assert (again.n, again.restored, len(pool)) == (2, True, 1)
        assert (await service.step(again, 2, [value(2)])).answers == session.last  # is not taken again
        assert (await service.step(again, 3, [value(3)])).answers == [live.push(value(3))]
        again.seen -= 601
        await service.sessions.park()
        assert (await service.sessions.find(session.id)).n == 3
        await service.sessions.close(await service.sessions.find(session.id))
        with pytest.raises(Refused, match="there is no such session"):
            await service.sessions.find(session.id)

    run(load, make(), test)


def test_there_are_at_most_so_many_sessions(load: Trained) -> None:
    async def test(service: Service) -> None:
        one = await service.open(None)
        await service.open(None)
        with pytest.raises(Refused) as refused:
            await service.open(None)
        assert (refused.value.kind, refused.value.status) == ("Overloaded", 503)
        assert service.unready() == "nearly at its bound: sessions"
        await service.sessions.close(one)
        await service.open(None)

    run(load, MemoryStore(60), test, sessions=2)


def test_a_session_of_other_weights_is_not_gone_on_with(load: Trained) -> None:
    async def test(service: Service) -> None:
        await service.store.put([record("old")])
        with pytest.raises(Refused, match="a model that is no longer served"):
            await service.sessions.find("old")

    run(load, MemoryStore(60), test)


def test_many_sessions_come_back_together(load: Trained, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(service: Service) -> None:
        sessions = [await service.open(None) for _ in range(6)]
        pool, streams = sessions[0].model.batcher.pool, [load.stream() for _ in sessions]
        ids = [session.id for session in sessions]
        for session, stream in zip(sessions, streams, strict=True):
            assert (await service.step(session, 1, [value(1)])).answers == [stream.push(value(1))]
            session.seen -= 601
        assert await service.sessions.park() == 6
        asked, take = [], service.store.take
        monkeypatch.setattr(service.store, "take", lambda those: asked.append(list(those)) or take(those))
        told = await service.steps([(id_, 2, value(2)) for id_ in [*ids[:3], "nobody", *ids[3:5], ids[0]]])
        assert asked == [[*ids[:3], "nobody", *ids[3:5]]]
        answers = [answer for _, _, answer, *_ in told]
        assert answers[:3] + answers[4:6] == [stream.push(value(2)) for stream in streams[:5]]
        assert answers[3]["error"]["type"] == "NotFound" and answers[6] == answers[0]
        assert len(pool) == len(service.sessions) == 5
        # As many as there is room for; the store keeps the others.
        sixth, *more = await service.sessions.find_all([ids[5], "nobody", "nobody else"])
        assert isinstance(sixth, LiveSession) and [str(one.kind) for one in more] == ["NotFound", "Overloaded"]

    run(load, make(), test, sessions=7)


def test_a_damaged_record_harms_no_other_session(load: Trained, tmp_path: Path) -> None:
    store = FolderStore(tmp_path, 60)

    async def test(service: Service) -> None:
        ids = [(await service.open(None)).id for _ in range(3)]
        for id_ in ids:
            found = await service.sessions.find(id_)
            found.seen -= 601
        assert await service.sessions.park() == 3
        place = store._places[ids[0]]
        store._places[ids[0]] = place._replace(offset=place.offset + 1)
        told = await service.steps([(id_, 1, value(1)) for id_ in ids])
        assert told[0][2]["error"]["message"].startswith("internal error (")
        assert [answer for _, _, answer, *_ in told[1:]] == [load.stream().push(value(1))] * 2

    run(load, store, test)


def test_what_changed_is_saved_and_a_killed_server_goes_on_from_it(load: Trained, tmp_path: Path) -> None:
    live = load.stream()
    ids = []

    async def before(service: Service) -> None:
        session = await service.open(None)
        ids.append(session.id)
        await service.step(session, 1, [value(1)])
        assert session.saved_n == 0
        assert await service.sessions.save_changed() == 1
        assert await service.sessions.save_changed() == 0
        assert session.saved_n == 1
        await service.step(session, 2, [value(2)])  # is lost with the server

    async def after(service: Service) -> None:
        session = await service.sessions.find(ids[0])
        assert (session.n, session.saved_n) == (1, 1)
        live.push(value(1))
        assert (await service.step(session, 2, [value(2)])).answers == [live.push(value(2))]

    run(load, FolderStore(tmp_path, 60), before)
    run(load, FolderStore(tmp_path, 60), after)


def test_a_folder_keeps_the_newest_record_of_each_session(tmp_path: Path) -> None:
    async def test() -> None:
        store = FolderStore(tmp_path, 60)
        with pytest.raises(UsageError, match="another server keeps its sessions there"):
            FolderStore(tmp_path, 60)
        for round_ in range(1, 60):
            await store.put([record(f"s{n}", round_, bytes([n, round_])) for n in range(round_ % 5, 20)])
            await store.put([record("often", round_)])
            if round_ == 30:
                await store.drop("s19")
                await store.drop("never")
        await store.drop("s18")
        assert len(list(tmp_path.glob("*.sessions"))) <= 18
        await store.close()
        again = FolderStore(tmp_path, 60)
        assert await again.take(["s18"]) == [None]
        assert len(again) == 20
        for n in range(4, 18):
            assert await again.take([f"s{n}"]) == [record(f"s{n}", 59, bytes([n, 59]))]
        assert await again.take(["s0"]) == [record("s0", 55, bytes([0, 55]))]
        assert await again.take(["often"]) == [record("often", 59)]
        await again.close()

    asyncio.run(test())


def test_what_was_put_too_long_ago_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        memory, folder = MemoryStore(60), FolderStore(tmp_path, 60)
        now, wall = time.monotonic(), time.time()
        for store in (memory, folder):
            await store.put([record("old")])
        monkeypatch.setattr("time.monotonic", lambda: now + 50)
        monkeypatch.setattr("time.time", lambda: wall + 50)
        for store in (memory, folder):
            await store.put([record("new")])
        monkeypatch.setattr("time.monotonic", lambda: now + 70)
        monkeypatch.setattr("time.time", lambda: wall + 70)
        for store in (memory, folder):
            await store.sweep()
            assert await store.take(["old"]) == [None]
            assert await store.take(["new"]) != [None]
        await folder.close()
        again = FolderStore(tmp_path, 60)
        assert (await again.take(["old"]), len(again)) == ([None], 1)
        await again.close()

    asyncio.run(test())


def test_a_damaged_file_costs_only_its_sessions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        store = FolderStore(tmp_path, 60)
        await store.put([record("one")])
        await store.put([record("two")])
        await store.close()
        first, second = sorted(tmp_path.glob("*.sessions"))
        data = first.read_bytes()
        for cut in (data[:-1], data[:40] + b"x" + data[41:], b""):
            first.write_bytes(cut)
            again = FolderStore(tmp_path, 60)
            assert await again.take(["one"]) == [None]
            assert await again.take(["two"]) == [record("two")]
            await again.close()
            assert not first.exists()
        assert second.exists()

    asyncio.run(test())
    assert "is damaged and is not read" in caplog.text


def test_a_session_that_is_used_while_others_are_parked_stays(load: Trained) -> None:
    async def test(service: Service) -> None:
        one, two = await service.open(None), await service.open(None)
        one.seen = two.seen = one.seen - 601
        forget = service.sessions._forget

        async def forgotten(session: LiveSession) -> None:
            await service.step(two, 1, [value(1)])
            await forget(session)

        service.sessions._forget = forgotten  # type: ignore[method-assign]
        assert await service.sessions.park() == 1
        assert (service.sessions.here(one.id), service.sessions.here(two.id)) == (None, two)
        assert (await service.step(two, 2, [value(2)])).error is None

    run(load, MemoryStore(60), test)


def test_a_session_that_is_closed_while_it_is_saved_does_not_come_back(load: Trained) -> None:
    class Slow(MemoryStore):
        durable = True

        async def put(self, records: Sequence[Record]) -> Sequence[str]:
            await asyncio.sleep(0.05)
            return await super().put(records)

    async def test(service: Service) -> None:
        session = await service.open(None)
        saving = asyncio.create_task(service.sessions.save_all())
        await asyncio.sleep(0.01)
        await service.sessions.close(session)
        await saving
        with pytest.raises(Refused, match="there is no such session"):
            await service.sessions.find(session.id)

    run(load, Slow(60), test, checkpoint_every=60)
