"""Texts that are written over HTTP: those of `Trained.generate`, whatever runs beside them."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving.loopback import Loopback, serving
from starlette.requests import Request

from unrolled.runs.trained import Trained
from unrolled.runs.writer import Asked
from unrolled.serving.refusals import Refused
from unrolled.serving.server_events import while_there

HOT = {"prompt": "the dog ", "length": 30, "temperature": 1.3, "seed": 5}
ASKED = Asked("the dog ", 30, (), {"seed": 5})


def events(server: Loopback, asked: dict[str, object]) -> list[dict[str, object]]:
    said = server.ask("POST", "/v1/generate", asked, headers={"accept": "text/event-stream"})
    assert said.status == 200 and said.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in said.body.decode().split("\n\n") if line]


def wanted(writer: Trained, **changed: object) -> str:
    asked = {**HOT, **changed}
    return "".join(writer.generate(asked.pop("prompt"), **asked))  # type: ignore[arg-type]


def test_a_text_is_that_of_generate_whole_and_in_pieces(writing: Loopback, writer: Trained) -> None:
    whole = writing.ask("POST", "/v1/generate", HOT).json
    *pieces, end = events(writing, HOT)
    assert whole == {"text": wanted(writer), **end}
    assert "".join(str(piece["text"]) for piece in pieces) == wanted(writer)
    assert len(pieces) > 5


def test_it_does_not_depend_on_what_is_written_beside_it(writing: Loopback, writer: Trained) -> None:
    with ThreadPoolExecutor(6) as pool:
        asked = [{**HOT, "seed": seed} for seed in range(6)]
        found = list(pool.map(lambda one: writing.ask("POST", "/v1/generate", one).json["text"], asked))
    assert found == [wanted(writer, seed=seed) for seed in range(6)]


@pytest.mark.parametrize("several", [False, True])
def test_it_ends_before_a_stop(writing: Loopback, writer: Trained, several: bool) -> None:
    straight = wanted(writer)
    stop = straight[12:14]
    found = writing.ask("POST", "/v1/generate", {**HOT, "stop": ["never so", stop] if several else stop}).json
    assert (found["text"], found["reason"]) == (straight[: straight.index(stop)], "stop")


def test_texts_are_written_together(writing: Loopback, writer: Trained) -> None:
    asked = {"model": "texts", "prompt": ["the ", "a "], "n": 4, "max_tokens": 40, "seed": 3}
    before = writing.service.generations.steps
    found = writing.ask("POST", "/v1/completions", asked).json["choices"]
    longest = max(len(choice["text"]) for choice in found)
    assert writing.service.generations.steps - before <= longest + 3  # 40 tokens of 8 texts in 40 steps, and an end
    for place, choice in enumerate(found):
        prompt = asked["prompt"][place // 4]  # type: ignore[index]
        assert choice["text"] == "".join(writer.generate(prompt, length=40, seed=3 + place % 4))


def test_the_first_piece_comes_before_the_second_token_is_computed(writing: Loopback) -> None:
    generations = writing.service.generations

    async def first() -> tuple[str, int, int]:
        (text,) = texts = await generations.begin(writing.service.models.find("texts").writer, [ASKED])
        try:
            piece = await anext(generations.pieces(text))
            await asyncio.sleep(0.05)
            return piece, generations.tokens - before, len(text.writing.tokens)
        finally:
            generations.end(texts)

    before = generations.tokens
    piece, steps, tokens = asyncio.run_coroutine_threadsafe(first(), writing.loop).result(20)
    assert (len(piece), steps, tokens) == (1, 1, 1)


def test_whoever_leaves_gets_at_most_one_more_token_written(writing: Loopback) -> None:
    generations = writing.service.generations
    connection = http.client.HTTPConnection("127.0.0.1", writing.port, timeout=20)
    body = json.dumps({**HOT, "prompt": "the ", "temperature": 1.0, "length": 4096, "seed": 0})
    connection.request("POST", "/v1/generate", body, {"accept": "text/event-stream"})
    response = connection.getresponse()
    response.read(40)
    connection.close()
    response.close()
    assert _soon(lambda: generations.now == 0)
    tokens = generations.tokens
    time.sleep(0.1)
    assert generations.tokens <= tokens + 1
    assert _soon(lambda: not generations._ended)  # what it held is given back


@pytest.mark.parametrize("path", ["/v1/generate", "/v1/completions"])
def test_whoever_leaves_before_a_whole_text_gets_none(writing: Loopback, path: str) -> None:
    asked = {"model": "texts", "prompt": "the ", "temperature": 2.0, "seed": 1}
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", writing.port, timeout=20)
        connection.request("POST", path, json.dumps({**asked, "length" if "gen" in path else "max_tokens": 4096}))
        connection.close()
    assert _soon(lambda: writing.service.generations.now == 0)


def test_work_ends_with_its_client() -> None:
    async def leaves() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def asked() -> None:
        over = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                over.set()

        with pytest.raises(Refused, match="the client has left"):
            await while_there(Request({"type": "http"}, leaves), work())
        await asyncio.wait_for(over.wait(), 5)

    asyncio.run(asked())


def test_too_many_texts_are_refused_before_a_word_is_sent(writer: Trained) -> None:
    with serving({"texts": writer}, generations=3) as server:
        asked = {"model": "texts", "prompt": "the ", "n": 4, "stream": True}
        said = server.ask("POST", "/v1/completions", asked)
        assert (said.status, said.headers["retry-after"]) == (503, "1")
        assert "3 texts are written at the same time" in said.json["error"]["message"]
        assert server.ask("POST", "/v1/completions", {**asked, "n": 3, "prompt": "漢"}).status == 422
        assert server.ask("POST", "/v1/completions", {**asked, "n": 3}).status == 200  # nothing is held
        assert server.service.generations.now == 0


def test_a_server_that_ends_tells_whoever_is_written_for(writer: Trained) -> None:
    found: list[dict[str, object]] = []
    with serving({"texts": writer}) as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(events, server, {**HOT, "length": 4096, "temperature": 10, "top_k": 2})
        assert _soon(lambda: server.service.generations.tokens > 3)
        server.loop.call_soon_threadsafe(server.service.generations.stop)
        found = slow.result(20)
    *_, end = found
    assert "reason" in end or "the server is about to end: ask again" in str(end)


def _soon(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not done() and time.monotonic() < end:
        time.sleep(0.01)
    return done()


def test_what_cannot_be_written_is_refused_in_a_sentence(writing: Loopback) -> None:
    for asked, status, message in (
        ({**HOT, "length": 5000}, 413, "at most 4096 tokens here"),
        ({**HOT, "prompt": "漢"}, 422, "never saw '漢'"),
        ({**HOT, "prompt": "the " * 1024}, 422, "the prompt: has 4097 tokens, at most 4096 are read"),
        ({**HOT, "temperature": -1}, 400, "temperature"),
        ({**HOT, "beams": 4}, 400, "unknown field `beams`"),
        ({**HOT, "model": "load"}, 400, "generate only works with the task 'next_step'"),
        ({**HOT, "model": "no"}, 404, "there is no model 'no'"),
    ):
        said = writing.ask("POST", "/v1/generate", asked)
        assert said.status == status, said.body
        assert message in said.json["error"]["message"]
