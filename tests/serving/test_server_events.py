"""Texts that are written over HTTP: those of `Trained.generate`, whatever runs beside them."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving.loopback import Loopback

from unrolled.runs.trained import Trained

HOT = {"prompt": "the dog ", "length": 30, "temperature": 1.3, "seed": 5}


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


def test_whoever_leaves_gets_no_more_written(writing: Loopback) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", writing.port, timeout=20)
    body = json.dumps({**HOT, "length": 4096})
    connection.request("POST", "/v1/generate", body, {"accept": "text/event-stream"})
    response = connection.getresponse()
    response.read(40)
    generations = writing.service.generations
    connection.close()
    response.close()
    end = time.monotonic() + 10
    while generations.now and time.monotonic() < end:
        time.sleep(0.01)
    assert generations.now == 0


def test_what_cannot_be_written_is_refused_in_a_sentence(writing: Loopback) -> None:
    for asked, status, message in (
        ({**HOT, "length": 5000}, 413, "at most 4096 tokens here"),
        ({**HOT, "prompt": "漢"}, 422, "never saw '漢'"),
        ({**HOT, "temperature": -1}, 400, "temperature"),
        ({**HOT, "beams": 4}, 400, "unknown field `beams`"),
        ({**HOT, "model": "load"}, 400, "generate only works with the task 'next_step'"),
        ({**HOT, "model": "no"}, 404, "there is no model 'no'"),
    ):
        said = writing.ask("POST", "/v1/generate", asked)
        assert said.status == status, said.body
        assert message in said.json["error"]["message"]
