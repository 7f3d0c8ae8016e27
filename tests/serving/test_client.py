"""The client and the server: what a session on the server answers is what a session in this process answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from serving.cutting import cutting
from serving.loopback import Loopback, serving

from unrolled.client import AsyncClient, Client, ServerRefused
from unrolled.errors import DataError, UnrolledError, UsageError
from unrolled.runs.trained import Trained


def value(step: int, of: int = 0) -> dict[str, float]:
    return {"load": 10 + (7 * of + step) % 11 / 10, "temp": 5 - (of + step) % 5}


def client(server: Loopback, **options: Any) -> Client:
    return Client(f"http://127.0.0.1:{server.port}", **options)


def offline(load: Trained, values: list[Any]) -> list[dict[str, Any]]:
    live = load.stream()
    return [live.push(one) for one in values]


def test_a_session_answers_what_a_stream_answers(server: Loopback, load: Trained) -> None:
    values = [value(n) for n in range(300)]
    expected = offline(load, values)
    with client(server).session() as live:
        assert [live.push(one) for one in values[:5]] == expected[:5]
        assert live.push_many(values[5:]) == expected[5:]
        assert live.n == 300
        here = load.stream(live.snapshot())
        assert here.push(value(7)) == live.push(value(7))
        live.end()
        with pytest.raises(ServerRefused, match="there is no such session"):
            client(server).session(live.id).push(value(0))


def test_what_does_not_fit_is_the_error_of_a_stream(server: Loopback, load: Trained) -> None:
    with pytest.raises(DataError) as caught:
        load.stream().push({"load": "abc", "temp": 1})
    with client(server).session() as live, pytest.raises(DataError) as told:
        live.push({"load": "abc", "temp": 1})
    assert (str(told.value), told.value.column) == (str(caught.value), caught.value.column)


def test_many_sessions_go_in_one_message(server: Loopback, load: Trained) -> None:
    with client(server).many() as many:
        ids = [many.open() for _ in range(3)]
        steps = [(ids[n % 3], value(n, n % 3)) for n in range(30)]
        answers = many.push([*steps[:10], (ids[0], {"load": "x", "temp": 1}), *steps[10:]])
        assert isinstance(answers[10], UnrolledError)
        answers = answers[:10] + answers[11:]
        for of in range(3):
            assert answers[of::3] == offline(load, [one for _, one in steps[of::3]])
        many.end(ids[0])
        assert len(many) == 2


def test_the_awaited_client_does_the_same(server: Loopback, load: Trained) -> None:
    async def run() -> tuple[list[Any], list[Any]]:
        asked = AsyncClient(f"http://127.0.0.1:{server.port}")
        async with asked.session() as live, asked.many() as many:
            pushed = await live.push_many([value(n) for n in range(20)])
            id_ = await many.open()
            return pushed, [(await many.push([(id_, value(n))]))[0] for n in range(20)]

    expected = offline(load, [value(n) for n in range(20)])
    assert asyncio.run(run()) == (expected, expected)


@pytest.mark.soak
def test_whatever_is_cut_each_step_is_taken_once(
    server: Loopback, load: Trained, times: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S11: connections are reset at random bytes, of the handshake, of a step, of an answer."""
    monkeypatch.setattr("unrolled.client.patience._FIRST", 0.001)
    cuts = 0
    for seed in range(times(3, 50)):
        values = [value(n, seed) for n in range(60)]
        with cutting(server.port, seed, 4000) as relay:
            live = Client(f"http://127.0.0.1:{relay.port}", timeout=5).session()
            answers: list[Any] = []
            while len(answers) < len(values):
                size = 1 + (seed + len(answers)) % 4
                answers += live.push_many(values[len(answers) : len(answers) + size])
            live.close()
            cuts += relay.cuts
        assert answers == offline(load, values)
        assert live.n == len(values)
    assert cuts > 10


def test_a_new_connection_takes_the_session_over(server: Loopback, load: Trained) -> None:
    expected = offline(load, [value(n) for n in range(3)])
    with client(server).session() as first:
        assert first.push(value(0)) == expected[0]
        with client(server).session(first.id) as second:
            assert second.push(value(1)) == expected[1]
            with pytest.raises(ServerRefused, match="another connection has taken over"):
                first.push(value(2))
            assert second.push(value(2)) == expected[2]


def test_the_token_is_needed(load: Trained) -> None:
    with serving({"load": load}, tokens=("secret",)) as guarded:
        with client(guarded, token="secret").session() as live:
            live.push(value(0))
        for wrong in (None, "wrong"):
            with pytest.raises(ServerRefused, match="the token is missing or wrong"):
                client(guarded, token=wrong).session().push(value(0))
            with pytest.raises(ServerRefused, match="the token is missing or wrong"):
                client(guarded, token=wrong).describe()


def test_predictions_and_texts_are_those_of_the_model(
    both: Loopback, moods: Trained, writing: Loopback, writer: Trained
) -> None:
    rows = [{"text": "good food"}, {"text": "bad"}]
    assert client(both).predict(rows, model="moods") == moods.predict(rows).to_pylist()
    with pytest.raises(DataError, match="the model reads the column 'text', which your data lacks"):
        client(both).predict([{"txt": "good"}], model="moods")
    asked: dict[str, Any] = {"length": 12, "temperature": 0.7, "seed": 3}
    expected = list(writer.generate("the ", **asked))
    assert list(client(writing).generate("the ", **asked)) == expected

    async def written() -> list[str]:
        return [piece async for piece in AsyncClient(f"http://127.0.0.1:{writing.port}").generate("the ", **asked)]

    assert asyncio.run(written()) == expected
    with pytest.raises(UsageError, match="temperature"):
        next(client(writing).generate("the ", temperature=-1.0))
    with pytest.raises(ServerRefused, match="nobody"):
        client(both).describe("nobody")
