"""``/openapi.json``: what the server is asked over HTTP, and what it answers, for tools that read OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unrolled.serving.completions import Completion
from unrolled.serving.messages import Step, encoded
from unrolled.serving.predict_inside import Read
from unrolled.serving.predict_tables import Table
from unrolled.serving.predict_tensors import Infer
from unrolled.serving.server_events import EVENTS, Generate

__all__ = ["OPERATIONS", "Operation", "document", "openapi"]

Row = dict[str, Any]
_STATE = "application/vnd.safetensors"


class Page(str):
    """A page for browsers."""


class File(bytes):
    """A file of the user's."""


# What is no JSON: how it is named in an operation -> its type, and its schema.
_PLAIN: dict[Any, tuple[str, dict[str, Any]]] = {
    str: ("text/plain", {"type": "string"}),
    Page: ("text/html", {"type": "string"}),
    bytes: (_STATE, {"type": "string", "format": "binary"}),
    File: ("application/octet-stream", {"type": "string", "format": "binary"}),
}


class Fault(Struct):
    """What is wrong.

    Attributes:
        type: its kind, such as ``DataError`` or ``Conflict``.
        message: a sentence.
        exit_code: of the same error on the command line.
        retry_after_s: when another try makes sense.
        column: which column of the value is wrong.
        n: how many steps the session has taken.
    """

    type: str
    message: str
    exit_code: int
    retry_after_s: float | UnsetType = UNSET
    column: str | UnsetType = UNSET
    n: int | UnsetType = UNSET


class FailedInference(Struct):
    """A request in the Open Inference Protocol that was not carried out: why, in a sentence."""

    error: str


class Failed(Struct):
    """A request that was not carried out."""

    error: Fault


class Stepped(Struct):
    """Answers to steps: ``y`` to one, ``ys`` to a list; where there is an error, to those before it."""

    n: int | None
    y: Row | UnsetType = UNSET
    ys: list[Row] | UnsetType = UNSET
    error: Fault | UnsetType = UNSET
    saved_n: int | UnsetType = UNSET


class Opened(Struct):
    """A session, and how many steps it has taken."""

    session: str
    n: int
    model: str


class Alive(Struct):
    """Whether the server works."""

    alive: bool


class Reloaded(Struct):
    """What became of each run."""

    models: dict[str, str]


class Ready(Struct):
    """Whether further clients should come here, and why not."""

    ready: bool
    reason: str | UnsetType = UNSET
    reload: list[str] | UnsetType = UNSET


class Operation(Struct, frozen=True):
    """What an address takes and gives.

    Attributes:
        reads: type of the request's body, or its schema; ``bytes``: the state of a session, `File`: any file,
            ``str``: a plain text, `Page`: HTML;
            ``None``: it has none.
        gives: type of the answer, likewise.
        status: of an answer that is no error.
        fails: the further statuses that it may have.
        query: names of its parameters, all of them texts.
        unready: type of the answer with 503.
        streams: whether the answer may come as events.
    """

    reads: Any = None
    gives: Any = None
    status: HTTPStatus = HTTPStatus.OK
    fails: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    unready: Any = Failed
    streams: bool = False


_BODY = (400, 413, 408)  # of requests that have one
_STEPS = (*_BODY, 404, 409, 422, 429, 504)
# What tools make of an array whose items differ is often wrong, so the answers are described in words.
_TRIPLES = {
    "type": "array",
    "items": {"type": "array", "minItems": 3, "maxItems": 4, "description": "session, n, answer; saved_n"},
}

_INFER = (*_BODY, 404, 415, 422, 504)

# Method and path -> what it takes and gives.
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/"): Operation(gives=Page),
    ("POST", "/v1/sessions"): Operation(gives=Opened, status=HTTPStatus.CREATED, fails=(404, 409), query=("model",)),
    ("DELETE", "/v1/sessions/{session}"): Operation(status=HTTPStatus.NO_CONTENT, fails=(404,)),
    ("POST", "/v1/sessions/{session}/steps"): Operation(Step, Stepped, fails=_STEPS),
    ("GET", "/v1/sessions/{session}/snapshot"): Operation(gives=bytes, fails=(404,)),
    ("PUT", "/v1/sessions/{session}/snapshot"): Operation(bytes, Opened, fails=(*_BODY, 404)),
    ("POST", "/v1/steps"): Operation(list[tuple[str, int | None, Any]], _TRIPLES, fails=_BODY),
    ("POST", "/v1/generate"): Operation(Generate, Row, fails=(*_BODY, 404, 422), streams=True),
    ("POST", "/v1/completions"): Operation(Completion, Row, fails=(*_BODY, 404, 422), streams=True),
    ("POST", "/v1/chat/completions"): Operation(gives=Row, fails=(404,)),
    ("GET", "/v1/models"): Operation(gives=Row),
    ("GET", "/v1/models/{name}"): Operation(gives=Row, fails=(404,)),
    ("POST", "/v1/predict"): Operation(Table, Row, fails=(*_BODY, 404, 406, 415, 422, 504), query=("model",)),
    ("POST", "/v1/read"): Operation(File, Row, fails=(*_BODY, 404, 422, 504), query=("model", "name")),
    ("POST", "/v1/inside"): Operation(Read, Row, fails=(*_BODY, 404, 422, 504), query=("model",)),
    ("POST", "/v1/reload"): Operation(gives=Reloaded, fails=(409,)),
    ("GET", "/metrics"): Operation(gives=str),
    ("GET", "/v2"): Operation(gives=Row),
    ("GET", "/v2/health/live"): Operation(gives=Row, unready=Row),
    ("GET", "/v2/health/ready"): Operation(gives=Row, unready=Row),
    ("GET", "/v2/models/{name}"): Operation(gives=Row, fails=(404,)),
    ("GET", "/v2/models/{name}/ready"): Operation(gives=Row, fails=(404,), unready=Row),
    ("POST", "/v2/models/{name}/infer"): Operation(Infer, Row, fails=_INFER),
    ("GET", "/v2/models/{name}/versions/{version}"): Operation(gives=Row, fails=(404,)),
    ("GET", "/v2/models/{name}/versions/{version}/ready"): Operation(gives=Row, fails=(404,), unready=Row),
    ("POST", "/v2/models/{name}/versions/{version}/infer"): Operation(Infer, Row, fails=_INFER),
    ("GET", "/v1/model"): Operation(gives=Row, fails=(404,), query=("model",)),
    ("GET", "/healthz"): Operation(gives=Alive, unready=Alive),
    ("GET", "/readyz"): Operation(gives=Ready, unready=Ready),
    ("GET", "/openapi.json"): Operation(gives=Row),
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The description of ``routes`` in OpenAPI 3.1.

    Args:
        routes: those that have an operation; the first sentence of each endpoint's docstring says what it does.
    """
    asked = [
        (method, route.path, route, OPERATIONS[method, route.path])
        for route in routes
        for method in sorted(route.methods or ())
        if (method, route.path) in OPERATIONS
    ]
    kinds = {str(kind): kind for *_, one in asked for kind in (one.reads, one.gives, one.unready)}
    kinds |= {str(kind): kind for kind in (Failed, FailedInference)}
    named = [kind for kind in kinds.values() if not isinstance(kind, dict) and kind is not None and kind not in _PLAIN]
    schemas, components = msgspec.json.schema_components(named, ref_template="#/components/schemas/{name}")
    known = dict(zip(map(str, named), schemas, strict=True))
    components["Step"] |= {"oneOf": [{"required": ["x"]}, {"required": ["xs"]}]}
    paths: dict[str, dict[str, Any]] = {}
    for method, path, route, operation in asked:
        paths.setdefault(path, {})[method.lower()] = _described(path, route, operation, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "unrolled serve", "version": version("unrolled")},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


async def openapi(request: Request) -> Response:
    """``GET /openapi.json``: this description."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return Response(encoded(document(routes)), media_type="application/json")


def _described(path: str, route: Route, operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    told = " ".join((route.endpoint.__doc__ or "").split("\n\n")[0].split())
    answers: dict[str, Any] = {str(int(operation.status)): _answer("Carried out.", operation.gives, known)}
    failure = FailedInference if path.startswith("/v2") else Failed
    for status in (401, 403, 421, *operation.fails):
        answers[str(status)] = _answer(HTTPStatus(status).phrase, failure, known)
    if operation.streams:
        answers[str(int(operation.status))]["content"] |= {EVENTS: {"schema": {"type": "string"}}}
    unready = failure if operation.unready is Failed else operation.unready
    answers["503"] = _answer(HTTPStatus(503).phrase, unready, known)
    names = re.findall(r"{(\w+)}", path)
    text = {"schema": {"type": "string"}}
    found: dict[str, Any] = {
        "summary": told.rpartition(":")[2].strip() if "``:" in told else told,
        "parameters": [{"name": name, "in": "path", "required": True, **text} for name in names]
        + [{"name": name, "in": "query", "required": False, **text} for name in operation.query],
        "responses": answers,
    }
    if operation.reads is not None:
        found["requestBody"] = {"required": True, "content": _content(operation.reads, known)}
    return found


def _answer(what: str, kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    return {"description": what} if kind is None else {"description": what, "content": _content(kind, known)}


def _content(kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(kind, dict) and kind in _PLAIN:
        name, schema = _PLAIN[kind]
        return {name: {"schema": schema}}
    return {"application/json": {"schema": kind if isinstance(kind, dict) else known[str(kind)]}}
