"""WebSockets whose messages go straight to a function.

uvicorn puts a message into a queue, stops to read, and wakes a task that reads on: with sessions that have one step
under way each, that costs more than the steps.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode
from websockets.http11 import Request

from unrolled.serving.connections import Sips

__all__ = ["Link", "link_of"]

_NAME = "unrolled.link"  # among the extensions of a connection


class Link(Sips, WebSocketsSansIOProtocol):
    """A connection, whose messages are answered one after the other.

    While one is under way, or the client does not read its answers, no more than the next ones are read: those that
    had come already. Whatever else a WebSocket needs goes the way of uvicorn.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._came: deque[str | bytes] = deque()
        self._take: Callable[[str | bytes], None] | None = None
        self._under_way = False

    def begin(self, take: Callable[[str | bytes], None]) -> None:
        """Give the messages to ``take``, each after it has called `say` for the one before."""
        self._take = take
        self._next()

    def say(self, told: bytes | None) -> None:
        """Answer the message that is under way, or leave it without an answer."""
        self._under_way = False
        if told is not None and not self.transport.is_closing():
            with contextlib.suppress(InvalidState):  # the client has said that it goes
                self.conn.send_text(told)
                self.transport.write(b"".join(self.conn.data_to_send()))
        if self._came:
            self.loop.call_soon(self._next)

    def handle_connect(self, event: Request) -> None:
        """Begin the handshake; the endpoint finds this object by `link_of`."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["extensions"][_NAME] = self  # type: ignore[assignment]

    def send_receive_event_to_app(self) -> None:
        """A whole message is there."""
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        try:
            self._came.append(data.decode() if self.curr_msg_data_type == "text" else data)
        except UnicodeDecodeError:
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        self._next()
        if self._came and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more; what had come of it is left."""
        super().connection_lost(exc)
        self._take = None
        self._came.clear()

    def _next(self) -> None:
        if self._take is None or self._under_way or not self._came or not self.writable.is_set():
            return
        message = self._came.popleft()
        if not self._came and self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._under_way = True
        self._take(message)


def link_of(scope: Any) -> Link:
    """The connection that an endpoint was called for."""
    link: Link = scope["extensions"][_NAME]
    return link
