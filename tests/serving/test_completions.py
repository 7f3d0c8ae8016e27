"""OpenAI's own client talks to the server; what we do not have is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from serving.loopback import Loopback

from unrolled.runs.trained import Trained

openai = pytest.importorskip("openai", reason="the client of OpenAI is not installed")


@pytest.fixture(scope="module")
def client(writing: Loopback) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{writing.port}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_models_are_those_of_texts(client: Any) -> None:
    assert [one.id for one in client.models.list()] == ["texts"]
    assert client.models.retrieve("texts").owned_by == "unrolled"


def test_a_completion_is_the_text_of_generate(client: Any, writer: Trained) -> None:
    asked = {"model": "texts", "prompt": "the dog ", "max_tokens": 20, "temperature": 1.1, "seed": 3}
    found = client.completions.create(**asked)
    straight = "".join(writer.generate("the dog ", length=20, temperature=1.1, seed=3))
    assert (found.choices[0].text, found.object, found.model) == (straight, "text_completion", "texts")
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    pieces = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for one in pieces for choice in one.choices) == straight
    assert pieces[-1].usage == found.usage and pieces[-2].choices[0].finish_reason == found.choices[0].finish_reason


def test_choices_echo_stop_and_the_chances_of_tokens(client: Any) -> None:
    found = client.completions.create(model="texts", prompt=["the ", "a "], max_tokens=8, n=2, seed=1, echo=True)
    assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
    assert [choice.text[:2] for choice in found.choices] == ["th", "th", "a ", "a "]
    asked = {"model": "texts", "prompt": "the ", "max_tokens": 12, "temperature": 0}
    straight = client.completions.create(**asked, logprobs=3).choices[0]
    assert (straight.finish_reason, "".join(straight.logprobs.tokens)) == ("length", straight.text)
    for nats, top in zip(straight.logprobs.token_logprobs, straight.logprobs.top_logprobs, strict=True):
        assert len(top) == 3 and math.isclose(nats, max(top.values()))
    stop = straight.text[5:]
    found = client.completions.create(**asked, logprobs=0, stop=[stop]).choices[0]
    assert (found.text, found.finish_reason) == (straight.text[: straight.text.index(stop)], "stop")
    assert "".join(found.logprobs.tokens) == found.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suffix", "."),
        ("best_of", 2),
        ("presence_penalty", 0.5),
        ("frequency_penalty", 0.5),
        ("logit_bias", {"5": 1.0}),
        ("prompt", [1, 2]),
        ("prompt", ["a"] * 9),
        ("stop", ["a", "b", "c", "d", "e"]),
        ("logprobs", 6),
        ("n", 9),
        ("max_tokens", 5000),
        ("temperature", 3),
    ],
)
def test_what_we_do_not_have_is_refused_by_its_name(client: Any, field: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError, match=field):
        client.completions.create(**{"model": "texts", "prompt": "the ", field: value})


def test_other_models_and_chats_are_refused(client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
        client.completions.create(model="gpt", prompt="a")
    with pytest.raises(openai.BadRequestError, match="this model's task is 'forecast'"):
        client.completions.create(model="load", prompt="a")
    with pytest.raises(openai.NotFoundError, match="do not chat: use /v1/completions"):
        client.chat.completions.create(model="texts", messages=[{"role": "user", "content": "a"}])
