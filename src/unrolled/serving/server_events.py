"""Texts over HTTP: whole, or piece by piece as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from unrolled.errors import UnrolledError
from unrolled.serving.generation import Asked, Writing
from unrolled.serving.guard import body_of
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused, about
from unrolled.serving.service import Service

__all__ = ["EVENTS", "Generate", "event", "generate", "streamed"]

EVENTS = "text/event-stream"


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
    writing = await service.generations.begin(service.models.find(asked.model).trained, wanted)
    pieces = service.generations.pieces(writing)
    if EVENTS in request.headers.get("accept", ""):
        return streamed(_events(pieces, writing))
    text = "".join([piece async for piece in pieces])
    return Response(encoded({"text": text, **_end(writing)}), media_type="application/json")


def streamed(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Events as a response, which proxies neither keep nor collect."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events, media_type=EVENTS, headers=headers)


def event(told: Any) -> bytes:
    """An event with ``told`` as JSON."""
    return b"data: " + encoded(told) + b"\n\n"


async def _events(pieces: AsyncIterator[str], writing: Writing) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield event({"text": piece})
        yield event(_end(writing))
    except UnrolledError as error:  # the status is sent already
        yield event({"error": about(error)})


def _end(writing: Writing) -> dict[str, Any]:
    return {"reason": writing.reason, "tokens": len(writing.tokens)}
