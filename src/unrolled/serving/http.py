"""Live sessions over HTTP, and what the server says of itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from unrolled.serving.guard import body_of
from unrolled.serving.live_session import LiveSession
from unrolled.serving.messages import encoded, read_step, read_steps
from unrolled.serving.refusals import Refused, known, retry_after, status_of, told_at
from unrolled.serving.renewal import held
from unrolled.serving.service import Service
from unrolled.serving.sockets import answer_of

__all__ = [
    "alive",
    "close",
    "failed",
    "model",
    "open_session",
    "ready",
    "reload",
    "replace",
    "snapshot",
    "step",
    "steps",
]

_STATE = "application/vnd.safetensors"


def said(told: Any, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """``told`` as JSON."""
    return Response(encoded(told), status, headers, "application/json")


async def failed(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in an error."""
    told = known(error)
    return said({"error": told_at(request.url.path, told)}, status_of(told), retry_after(told))


async def open_session(request: Request) -> Response:
    """``POST /v1/sessions?model=NAME``: a new session."""
    session = await _service(request).open(request.query_params.get("model"))
    return said({"session": session.id, "n": session.n, "model": session.model.name}, HTTPStatus.CREATED)


async def step(request: Request) -> Response:
    """``POST /v1/sessions/ID/steps``: steps of a session, as in a message of ``/v1/live``."""
    service = _service(request)
    asked = read_step(
        await body_of(request, service.options.body, service.options.deadline),
        steps=service.options.message_steps,
        depth=service.options.depth,
    )
    session = await _session(request)
    item = await service.step(session, asked.n, asked.values)
    told = answer_of(service, session, item, several=asked.several)
    if item.error is None:
        return said(told)
    return said(told, status_of(item.error), retry_after(item.error))


async def steps(request: Request) -> Response:
    """``POST /v1/steps``: a step of many sessions, as in a message of ``/v1/live/many``."""
    service = _service(request)
    body = await body_of(request, service.options.body, service.options.deadline)
    return said(await service.steps(read_steps(body, steps=service.options.steps, depth=service.options.depth)))


async def snapshot(request: Request) -> Response:
    """``GET /v1/sessions/ID/snapshot``: its state, as `Session.snapshot` gives it."""
    session = await _session(request)
    async with held(session) as batcher:
        state, n = batcher.pool.snapshot(session.handle), session.n
    return Response(state, HTTPStatus.OK, {"x-unrolled-n": str(n)}, _STATE)


async def replace(request: Request) -> Response:
    """``PUT /v1/sessions/ID/snapshot``: go on from a snapshot."""
    service = _service(request)
    session = await _session(request)
    await service.sessions.replace(session, await body_of(request, service.options.snapshot, service.options.deadline))
    return said({"session": session.id, "n": session.n, "model": session.model.name})


async def close(request: Request) -> Response:
    """``DELETE /v1/sessions/ID``: end a session."""
    await _service(request).sessions.close(await _session(request))
    return Response(None, HTTPStatus.NO_CONTENT)


async def model(request: Request) -> Response:
    """``GET /v1/model?model=NAME``: what a model reads and answers."""
    models = _service(request).models
    return said({**models.find(request.query_params.get("model")).about, "models": list(models.now)})


async def alive(request: Request) -> Response:
    """``GET /healthz``: whether the server works."""
    good = _service(request).alive
    return said({"alive": good}, HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)


async def ready(request: Request) -> Response:
    """``GET /readyz``: whether further clients should come here."""
    reason = _service(request).unready()
    failed = _service(request).models.failed
    told = {"reload": list(failed.values())} if failed else {}
    if reason is None:
        return said({"ready": True, **told})
    return said({"ready": False, "reason": reason, **told}, HTTPStatus.SERVICE_UNAVAILABLE)


async def reload(request: Request) -> Response:
    """``POST /v1/reload``: load every run again.

    Raises:
        Refused: one cannot be loaded; its model is served as before.
    """
    service = _service(request)
    found = await service.reload()
    if service.models.failed:
        raise Refused("Conflict", "; ".join(service.models.failed.values()), models=found)
    return said({"models": found})


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _session(request: Request) -> LiveSession:
    sessions, id_ = _service(request).sessions, request.path_params["session"]
    return sessions.here(id_) or await sessions.find(id_)
