"""Completions in the form of OpenAI's API, for programs that speak it. What we do not have is refused by its name."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from unrolled.data.encodings.facets import Text
from unrolled.errors import UnrolledError
from unrolled.runs.writer import Asked, Writing
from unrolled.serving.generation import Text as Written
from unrolled.serving.guard import body_of
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused, about
from unrolled.serving.served import Served
from unrolled.serving.server_events import Streamed, event, joined, while_there
from unrolled.serving.service import Service

__all__ = ["Completion", "chat", "complete", "model", "models"]

_STOPS, _CHOICES, _LIKELIEST = 4, 8, 5
_DONE = b"data: [DONE]\n\n"


class StreamOptions(Struct, forbid_unknown_fields=True):
    """What a stream has beside the text."""

    include_usage: bool = False


class Completion(Struct, forbid_unknown_fields=True):
    """A request for completions. Those without a comment are as OpenAI describes them."""

    model: str
    prompt: Any = ""  # a text, or a list of texts
    max_tokens: Annotated[int, Meta(ge=0)] | None = 16
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = 1.0
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = 1.0
    n: Annotated[int, Meta(ge=1, le=_CHOICES)] | None = 1
    stop: str | list[str] | None = None
    seed: int | None = None  # default: drawn
    echo: bool | None = False
    logprobs: Annotated[int, Meta(ge=0, le=_LIKELIEST)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: str | None = None  # ignored
    suffix: str | None = None  # these are refused, unless they ask for nothing
    best_of: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None


_decoder = msgspec.json.Decoder(Completion)
_NOTHING: dict[str, tuple[Any, ...]] = {
    "suffix": (None, ""),
    "best_of": (None, 1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
}


async def complete(request: Request) -> Response:
    """``POST /v1/completions``: continue texts, as OpenAI's API does."""
    service: Service = request.app.state.service
    asked: Completion = decoded(_decoder, await body_of(request, service.options.body, service.options.deadline))
    prompts = _checked(asked, service.options.tokens)
    served = service.models.find(asked.model)
    seed = secrets.randbits(31) if asked.seed is None else asked.seed
    settings = {"temperature": asked.temperature or 0.0, "top_p": None if asked.top_p == 1 else asked.top_p}
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    wanted = [
        Asked(prompt, _or(asked.max_tokens, 16), stops, {**settings, "seed": seed + place}, asked.logprobs)
        for prompt in prompts
        for place in range(asked.n or 1)
    ]
    generations = service.generations
    texts = await generations.begin(served.writer, wanted)
    reply = _Reply(asked, served, texts)
    pieces = [generations.pieces(text) for text in texts]
    if asked.stream:
        return Streamed(_stream(reply, pieces), lambda: generations.end(texts))
    try:
        found = await while_there(request, _all(pieces))
    finally:
        generations.end(texts)
    choices = [reply.whole(place, text) for place, text in enumerate(found)]
    return _json({**reply.head, "choices": choices, "usage": reply.usage})


async def models(request: Request) -> Response:
    """``GET /v1/models``: the models that continue texts."""
    service: Service = request.app.state.service
    found = [_model(one) for one in service.models.now.values() if one.trained.continues_text]
    return _json({"object": "list", "data": found})


async def model(request: Request) -> Response:
    """``GET /v1/models/NAME``: one of them."""
    service: Service = request.app.state.service
    return _json(_model(service.models.find(request.path_params["name"])))


async def chat(_: Request) -> Response:
    """``POST /v1/chat/completions``: refused.

    Raises:
        Refused: always.
    """
    raise Refused("NotFound", "these models continue texts and do not chat: use /v1/completions")


class _Reply:
    """What the answer to a request is made of."""

    def __init__(self, asked: Completion, served: Served, texts: list[Written]) -> None:
        self._asked, self._prompts = asked, [text.asked.prompt for text in texts]
        self.writings = [text.writing for text in texts]
        encoding = served.trained.task.coder.answer
        assert isinstance(encoding, Text)
        self._encoding = encoding
        self.head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": served.name,
        }

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the numbers of tokens."""
        return self._asked.stream_options is not None and self._asked.stream_options.include_usage

    @property
    def usage(self) -> dict[str, int]:
        """The tokens that were read and written."""
        read = sum(writing.read for writing in self.writings[:: self._asked.n or 1])
        written = sum(len(writing.tokens) for writing in self.writings)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def whole(self, place: int, text: str) -> dict[str, Any]:
        """A choice, when it has ended."""
        writing = self.writings[place]
        logprobs = None if self._asked.logprobs is None else self._logprobs(writing, text)
        return self.part(place, self.echoed(place) + text, writing.reason) | {"logprobs": logprobs}

    def part(self, place: int, text: str, reason: str | None = None) -> dict[str, Any]:
        """A piece of a choice."""
        return {"text": text, "index": place, "logprobs": None, "finish_reason": reason}

    def echoed(self, place: int) -> str:
        """The prompt, where it is to be repeated."""
        return self._prompts[place] if self._asked.echo else ""

    def _logprobs(self, writing: Writing, text: str) -> dict[str, Any]:
        found: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        offset = 0
        for token in writing.tokens:
            if offset >= len(text) and token.text:
                break  # behind the stop
            found["tokens"].append(token.text)
            found["token_logprobs"].append(token.nats)
            top = {self._encoding.decode_stream("")(id_): nats for id_, nats in token.likeliest.items()}
            found["top_logprobs"].append(top)
            found["text_offset"].append(offset)
            offset += len(token.text)
        return found


async def _stream(reply: _Reply, pieces: list[AsyncIterator[str]]) -> AsyncIterator[bytes]:
    """Each piece of each choice as an event, as soon as it is known."""
    told: asyncio.Queue[tuple[int, str | None] | UnrolledError] = asyncio.Queue()

    async def tell(place: int) -> None:
        try:
            async for piece in pieces[place]:
                await told.put((place, piece))
            await told.put((place, None))
        except UnrolledError as error:
            await told.put(error)

    tasks = [asyncio.create_task(tell(place)) for place in range(len(pieces))]
    try:
        for place in range(len(pieces)):
            if prompt := reply.echoed(place):
                yield event({**reply.head, "choices": [reply.part(place, prompt)]})
        left = len(pieces)
        while left:
            found = await told.get()
            if isinstance(found, UnrolledError):
                yield event({"error": about(found)})
                return
            place, piece = found
            left -= piece is None
            reason = reply.writings[place].reason if piece is None else None
            yield event({**reply.head, "choices": [reply.part(place, piece or "", reason)]})
        if reply.wants_usage:
            yield event({**reply.head, "choices": [], "usage": reply.usage})
        yield _DONE
    finally:
        for task in tasks:
            task.cancel()


async def _all(pieces: list[AsyncIterator[str]]) -> list[str]:
    return await asyncio.gather(*map(joined, pieces))


def _checked(asked: Completion, most: int) -> list[str]:
    """The prompts, if the request asks for nothing that we do not have."""
    for name, allowed in _NOTHING.items():
        if getattr(asked, name) not in allowed:
            raise _refused(name, "is not supported")
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if not isinstance(prompts, list) or not prompts or not all(isinstance(prompt, str) for prompt in prompts):
        raise _refused("prompt", "must be a text or a list of texts; token ids are not supported")
    if len(prompts) * (asked.n or 1) > _CHOICES:
        raise _refused("prompt", f"and n give more than {_CHOICES} texts")
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    if len(stops) > _STOPS or "" in stops:
        raise _refused("stop", f"must be at most {_STOPS} texts, none of them empty")
    if asked.logprobs is not None and (asked.stream or asked.echo):
        raise _refused("logprobs", "is not supported together with stream or echo")
    if _or(asked.max_tokens, 16) > most:
        raise _refused("max_tokens", f"is {asked.max_tokens}; a text has at most {most} tokens here")
    return prompts


def _refused(name: str, why: str) -> Refused:
    return Refused("BadRequest", f"{name} {why}", param=name)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _model(served: Served) -> dict[str, Any]:
    return {"id": served.name, "object": "model", "created": 0, "owned_by": "unrolled"}


def _json(told: Any) -> Response:
    return Response(encoded(told), HTTPStatus.OK, media_type="application/json")
