"""A connection to the server: what a conversation asks for, done with ``websockets``; once blocking, once awaited."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from unrolled.client.faults import Broken, ServerRefused, error_of
from unrolled.client.numbered import Conversation
from unrolled.client.wire import PROTOCOL, Ask, Close, Connect, Sleep
from unrolled.errors import MissingExtra, UnrolledError, UsageError

try:
    import websockets.asyncio.client
    import websockets.exceptions
    import websockets.sync.client
except ImportError:
    raise MissingExtra("websockets", "client", "the client") from None

__all__ = ["AsyncLink", "Link", "Server"]

_TAKEN_OVER, _TOO_LARGE, _TOKEN = 4409, 1009, 4401  # codes with which the server closes for good
_LARGEST = 1 << 26  # bytes of a message that the server sends


class Server:
    """Where the server is, and how to show that one may use it.

    Args:
        url: such as ``http://127.0.0.1:8080``.
        token: one of the server's tokens.
        timeout: seconds without an answer after which a connection counts as broken.

    Raises:
        UsageError: it is no such address.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"the address of a server begins with http:// or https://, not {url!r}")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.timeout = timeout

    def socket(self, path: str, query: dict[str, str]) -> tuple[str, dict[str, Any]]:
        """The address of a WebSocket, and how to open it."""
        address = f"ws{self.url.removeprefix('http')}{path}" + (f"?{urlencode(query)}" if query else "")
        return address, {
            "subprotocols": [PROTOCOL],
            "additional_headers": self.headers,
            "compression": None,
            "max_size": _LARGEST,
            "open_timeout": self.timeout,
            "close_timeout": 1.0,
        }


class Link:
    """One WebSocket, blocking."""

    def __init__(self, server: Server, sleep: Callable[[float], object] = time.sleep) -> None:
        self._server, self._sleep = server, sleep
        self._socket: websockets.sync.client.ClientConnection | None = None
        self._open = contextlib.ExitStack()

    def run(self, talk: Conversation) -> Any:
        """Do what a conversation asks for; its result."""
        step: Callable[[Any], Any] = talk.send
        given: Any = None
        while True:
            try:
                asked = step(given)
            except StopIteration as end:
                return end.value
            try:
                step, given = talk.send, self._do(asked)
            except Exception as error:
                step, given = talk.throw, _translated(error)
            except BaseException:  # such as Ctrl-C: the conversation is given up
                talk.close()
                self.close()
                raise

    def _do(self, asked: Connect | Ask | Sleep | Close) -> str | bytes | None:
        match asked:
            case Ask(text) if self._socket is not None:
                self._socket.send(text)
                return self._socket.recv(self._server.timeout)
            case Connect(path, query, greets):
                self.close()
                address, how = self._server.socket(path, query)
                self._socket = self._open.enter_context(websockets.sync.client.connect(address, **how))
                return self._socket.recv(self._server.timeout) if greets else None
            case Sleep(seconds):
                self._sleep(seconds)
            case Close():
                self.close()
        return None

    def close(self) -> None:
        """Close the connection; the server keeps the session."""
        self._socket = None
        with contextlib.suppress(OSError, websockets.exceptions.WebSocketException):
            self._open.close()


class AsyncLink:
    """One WebSocket, awaited."""

    def __init__(self, server: Server, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._server, self._sleep = server, sleep
        self._socket: websockets.asyncio.client.ClientConnection | None = None
        self._open = contextlib.AsyncExitStack()

    async def run(self, talk: Conversation) -> Any:
        """Do what a conversation asks for; its result."""
        step: Callable[[Any], Any] = talk.send
        given: Any = None
        while True:
            try:
                asked = step(given)
            except StopIteration as end:
                return end.value
            try:
                step, given = talk.send, await self._do(asked)
            except Exception as error:
                step, given = talk.throw, _translated(error)
            except BaseException:  # such as a cancellation: the conversation is given up
                talk.close()
                await self.close()
                raise

    async def _do(self, asked: Connect | Ask | Sleep | Close) -> str | bytes | None:
        match asked:
            case Ask(text) if self._socket is not None:
                async with asyncio.timeout(self._server.timeout):
                    await self._socket.send(text)
                    return await self._socket.recv()
            case Connect(path, query, greets):
                await self.close()
                address, how = self._server.socket(path, query)
                self._socket = await self._open.enter_async_context(websockets.asyncio.client.connect(address, **how))
                async with asyncio.timeout(self._server.timeout):
                    return await self._socket.recv() if greets else None
            case Sleep(seconds):
                await self._sleep(seconds)
            case Close():
                await self.close()
        return None

    async def close(self) -> None:
        """Close the connection; the server keeps the session."""
        self._socket = None
        with contextlib.suppress(OSError, websockets.exceptions.WebSocketException):
            await self._open.aclose()


def _translated(error: Exception) -> Exception:
    """What a failed connection means: worth another try, or refused for good."""
    match error:
        case websockets.exceptions.InvalidStatus(response=response):
            refused = refusal(response.status_code, response.body, response.headers.get("retry-after"))
            retry = refused.retry_after_s if isinstance(refused, ServerRefused) else None
            return refused if retry is None else Broken(str(refused), retry)
        case websockets.exceptions.ConnectionClosed(rcvd=close) if close is not None:
            known = {_TAKEN_OVER: "TakenOver", _TOO_LARGE: "TooLarge", _TOKEN: "Unauthorized"}
            if close.code in known:
                return ServerRefused(
                    known[close.code], f"the server closed the connection: {close.reason or close.code}"
                )
            return Broken(f"the server closed the connection with {close.code}")
        case OSError() | TimeoutError() | websockets.exceptions.WebSocketException():
            return Broken(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return error


def refusal(status: int, body: bytes | bytearray | None, retry_after: str | None) -> UnrolledError:
    """The error that an answer of HTTP holds; where there is none, its status says whether another try makes sense.

    Args:
        status: from 400.
        body: of the answer.
        retry_after: the header of that name.
    """
    try:
        told = json.loads(body or b"")["error"]
    except (ValueError, KeyError, TypeError):
        told = {"type": f"HTTP {status}", "message": f"the server answered with status {status}"}
        if status in (429, 502, 503, 504):  # such as a proxy whose server starts again
            told["retry_after_s"] = float(retry_after) if (retry_after or "").isdecimal() else 1.0  # type: ignore[arg-type]
    return error_of(told, status)
