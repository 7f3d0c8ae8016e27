"""Texts over HTTP: whole, or piece by piece as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from unrolled.errors import UnrolledError
from unrolled.runs.writer import Asked, Writing
from unrolled.serving.generation import Text
from unrolled.serving.guard import body_of
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused, about
from unrolled.serving.service import Service

__all__ = ["EVENTS", "Generate", "Streamed", "event", "generate", "joined", "while_there"]

EVENTS = "text/event-stream"


Found = TypeVar("Found")


class Generate(Struct, forbid_unknown_fields=True):
    """What to write.

    Attributes:
        prompt: the text to continue.
        length: the most tokens.
        temperature, top_k, top_p, seed: as for `Trained.generate`.
        stop: the text ends before this, or before the first of several.
        model: the name of the model; ``None``: the default one.
    """

    prompt: str = ""
    length: Annotated[int, Meta(ge=0)] = 256
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    stop: str | list[str] | None = None
    model: str | None = None


_decoder = msgspec.json.Decoder(Generate)


async def generate(request: Request) -> Response:
    """``POST /v1/generate``: continue a text; as events where the request accepts them.

    Raises:
        Refused: there is no such model, or the text would be too long.
    """
    service: Service = request.app.state.service
    asked = decoded(_decoder, await body_of(request, service.options.body, service.options.deadline))
    if asked.length > service.options.tokens:
        raise Refused("TooLarge", f"a text has at most {service.options.tokens} tokens here, {asked.length} were asked")
    settings = {name: getattr(asked, name) for name in ("temperature", "top_k", "top_p", "seed")}
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    wanted = Asked(asked.prompt, asked.length, [stop for stop in stops if stop], settings)
    generations = service.generations
    texts = await generations.begin(service.models.find(asked.model).writer, [wanted])
    (text,), pieces = texts, generations.pieces(texts[0])
    if EVENTS in request.headers.get("accept", ""):
        return Streamed(_events(pieces, text), lambda: generations.end(texts))
    try:
        told = {"text": await while_there(request, joined(pieces)), **_end(text.writing)}
    finally:
        generations.end(texts)
    return Response(encoded(told), media_type="application/json")


async def joined(pieces: AsyncIterator[str]) -> str:
    """The whole text."""
    return "".join([piece async for piece in pieces])


async def while_there(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """What ``work`` gives, which ends with its client.

    Raises:
        Refused: the client has left; nobody reads it.
    """
    task, gone = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refused("Slow", "the client has left")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Streamed(StreamingResponse):
    """Events as a response, which proxies neither keep nor collect.

    Args:
        events: each is sent when the one before it is.
        end: is called when they have been sent, or when the client has left.
    """

    def __init__(self, events: AsyncIterator[bytes], end: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type=EVENTS, headers=headers)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def event(told: Any) -> bytes:
    """An event with ``told`` as JSON."""
    return b"data: " + encoded(told) + b"\n\n"


async def _events(pieces: AsyncIterator[str], text: Text) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield event({"text": piece})
        yield event(_end(text.writing))
    except UnrolledError as error:  # the status is sent already
        yield event({"error": about(error)})


def _end(writing: Writing) -> dict[str, Any]:
    return {"reason": writing.reason, "tokens": len(writing.tokens)}
