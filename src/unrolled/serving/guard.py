"""Who may ask: the name of the server, the page that asks, the token. Checked before anything else happens."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from unrolled.serving.messages import encoded
from unrolled.serving.refusals import Refused, retry_after, status_of, told_at
from unrolled.serving.serve_options import ServeOptions

__all__ = ["OPEN", "PROTOCOL", "Guard", "body_of", "read_body", "refusal"]

PROTOCOL = "unrolled.v1"  # the subprotocol of our WebSockets
OPEN = {"/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}  # what needs no token
_BEARER = "bearer."  # before the token, among the subprotocols that a browser offers
_TOKEN = "Bearer "  # noqa: S105 - before the token, in the header Authorization


class Guard:
    """Lets a request through, or answers it with 421, 403 or 401.

    - The name in ``Host`` must be a number, ``localhost``, or one that the server was given: a page of another site
      whose name was made to point here has its own name there.
    - A browser says in ``Origin`` which page asks: it must be one of this server, or one that it was given.
    - Where there are tokens, one of them must be in ``Authorization: Bearer``, or for a WebSocket of a browser among
      its subprotocols.

    Args:
        app: what the request goes to.
        options: of the server.
        tokens: those that are accepted; none: no token is asked for.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, tokens: Iterable[str] = ()) -> None:
        self._app, self._tokens = app, [token.encode() for token in tokens]
        self._names, self._origins = {"localhost", *(name.lower() for name in options.name)}, set(options.origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            cross = self._check_origin(scope, headers)
            if cross is not None and scope["type"] == "http":
                if scope["method"] == "OPTIONS":
                    await Response(None, 204, _allowing(cross, preflight=True))(scope, receive, send)
                    return
                send = _with_headers(send, _allowing(cross))
            self._check_token(scope, headers)
        except Refused as refused:
            await refusal(refused, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name.lower() not in self._names and not _is_address(name.removeprefix("[").removesuffix("]")):
            raise Refused("Misdirected", "this server does not answer by that name; --name allows one")

    def _check_origin(self, scope: Scope, headers: Headers) -> str | None:
        """The origin of a page of another site, which was allowed; ``None`` if there is no such page."""
        origins = headers.getlist("origin")
        if not origins:
            return None
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        if origins == [f"{scheme}://{headers.get('host', '')}"]:
            return None
        if len(origins) == 1 and origins[0] in self._origins:
            return origins[0]
        raise Refused("Forbidden", "pages of that origin may not use this server; --origin allows one")

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        if not self._tokens or scope["path"] in OPEN:
            return
        given = headers.get("authorization", "")
        found = given.removeprefix(_TOKEN) if given.startswith(_TOKEN) else None
        if found is None and scope["type"] == "websocket":
            offered = scope.get("subprotocols", [])
            found = next((one.removeprefix(_BEARER) for one in offered if one.startswith(_BEARER)), None)
        # Every token is compared, each in constant time: how long it takes says nothing.
        fitting = [hmac.compare_digest(token, (found or "").encode("utf-8", "replace")) for token in self._tokens]
        if not any(fitting):
            raise Refused("Unauthorized", "the token is missing or wrong: send Authorization: Bearer <token>")


@lru_cache(64)  # every request asks for one of a few
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def refusal(error: Refused, path: str = "") -> Response:
    """A refusal as an answer; for a WebSocket it stands in place of the handshake."""
    headers = {"www-authenticate": "Bearer"} if error.kind == "Unauthorized" else retry_after(error)
    return Response(encoded({"error": told_at(path, error)}), status_of(error), headers, "application/json")


async def body_of(request: Request, most: int, seconds: float) -> bytes:
    """The body of a request; see `read_body`."""
    pieces: list[bytes] = []
    await read_body(request, most, seconds, pieces.append)
    return b"".join(pieces)


async def read_body(request: Request, most: int, seconds: float, keep: Callable[[bytes], None]) -> None:
    """Read the body of a request, no further than it may be long, and no longer than it may take.

    Args:
        request: the request.
        most: the most bytes.
        seconds: the longest time.
        keep: is called with each piece.

    Raises:
        Refused: it is longer, or takes longer.
    """

    def too_large() -> Refused:
        return Refused("TooLarge", f"a request has at most {most:,} bytes here")

    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large()
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise too_large()
                keep(piece)
    except TimeoutError:
        raise Refused("Slow", f"the request was not complete after {seconds:g} seconds") from None


def _allowing(origin: str, *, preflight: bool = False) -> dict[str, str]:
    allowed = {"access-control-allow-origin": origin, "vary": "Origin"}
    if preflight:
        allowed["access-control-allow-headers"] = "authorization, content-type, accept"
        allowed["access-control-allow-methods"] = "GET, POST, PUT, DELETE"
        allowed["access-control-max-age"] = "600"
    return allowed


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def sending(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *pairs]  # type: ignore[misc]
        await send(message)

    return sending  # type: ignore[return-value]
