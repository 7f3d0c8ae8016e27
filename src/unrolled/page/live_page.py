"""A page that talks to this process: on the loopback address, for whoever has its token, and only for a while.

A request is refused unless it names this host (so that no other site can be made to look like this one), carries the
token of the page, and is small. Nothing is read from the disk, and nothing is cached.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from unrolled.errors import UnrolledError

__all__ = ["HOST", "LivePage"]

HOST = "127.0.0.1"
_LARGEST = 1 << 20  # bytes of a request
_TOKEN = "X-Unrolled-Token"  # noqa: S105 - the name of a header
_TICK = 0.5  # seconds between two looks at the clock

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class LivePage:
    """A page and what it may ask for.

    Args:
        html: the page.
        answers: path, such as ``/push`` -> what answers it: from JSON to JSON. One is asked at a time.
        port: where it listens; 0 for any free port.
        idle: it ends after so many seconds without a request.

    Example:
        >>> page = LivePage("<p>Hello</p>", {"/double": lambda asked: {"is": 2 * asked["x"]}})
        >>> page.address.startswith("http://127.0.0.1:")
        True
        >>> page.close()
    """

    def __init__(self, html: str, answers: Mapping[str, Answer], *, port: int = 0, idle: float = 1_800) -> None:
        self._html, self._answers, self._idle = html.encode(), answers, idle
        self._token, self._lock = secrets.token_urlsafe(24), threading.Lock()
        self._heard, self._ended = time.monotonic(), False
        self._server = _Server((HOST, port), _handler(self))
        self.port: int = self._server.server_address[1]

    @property
    def address(self) -> str:
        """What to open in a browser; the token stands behind the #, which browsers do not send."""
        return f"http://{HOST}:{self.port}/#{self._token}"

    def serve(self) -> None:
        """Answer until `stop` is called, or nobody has asked for anything for ``idle`` seconds."""
        with self._server:
            watch = threading.Thread(target=self._watch, daemon=True)
            watch.start()
            self._server.serve_forever(poll_interval=_TICK / 5)

    def stop(self) -> None:
        """End `serve`, from another thread or from an answer; windows that are still connected say so."""
        self._ended = True
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    def close(self) -> None:
        """Give the port back, where `serve` was never called."""
        self._server.server_close()

    def _watch(self) -> None:
        while time.monotonic() - self._heard < self._idle:
            time.sleep(_TICK)
        self.stop()

    def _page(self) -> tuple[HTTPStatus, str, bytes]:
        self._heard = time.monotonic()
        return HTTPStatus.OK, "text/html; charset=utf-8", self._html

    def _answer(self, path: str, token: str, body: bytes) -> tuple[HTTPStatus, str, bytes]:
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return _said(HTTPStatus.FORBIDDEN, "the token of this page is missing or wrong: open the address again")
        if self._ended:
            return _said(HTTPStatus.GONE, "this page has ended: start it again")
        self._heard = time.monotonic()
        if path == "/quit":
            self.stop()
            return _said(HTTPStatus.OK, "")
        answer = self._answers.get(path)
        if answer is None:
            return _said(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")
        try:
            asked = json.loads(body or b"{}")
            if not isinstance(asked, dict):
                return _said(HTTPStatus.BAD_REQUEST, "a request is a JSON object")
            with self._lock:
                found = answer(asked)
        except UnrolledError as error:
            return _said(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except (ValueError, KeyError, TypeError, RecursionError):
            return _said(HTTPStatus.BAD_REQUEST, "this request cannot be read")
        return HTTPStatus.OK, "application/json", json.dumps(found, allow_nan=False).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    disable_nagle_algorithm = True  # else each answer waits some 40 ms


def _said(status: HTTPStatus, sentence: str) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps({"error": sentence}).encode()


def _handler(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60  # seconds: a connection that says nothing is closed
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self._here():
                self._send(*(page._page() if self.path == "/" else _said(HTTPStatus.NOT_FOUND, "there is only /")))

        def do_POST(self) -> None:
            if not self._here():
                return
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _LARGEST:
                self.close_connection = True  # what it would send is not read
                self._send(*_said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {_LARGEST:,} bytes"))
                return
            token = self.headers.get(_TOKEN, "")
            self._send(*page._answer(self.path, token, self.rfile.read(int(length))))

        def _here(self) -> bool:
            if self.headers.get("Host") == f"{HOST}:{page.port}":
                return True
            self.close_connection = True
            self._send(*_said(HTTPStatus.MISDIRECTED_REQUEST, "this page only answers at its own address"))
            return False

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            head = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
            self.send_response(status)
            for name, value in {**head, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal belongs to the user."""

    return Handler
