"""Connections: only so much is read of each at a time, and those that never finish a request are closed."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Sips", "protocol"]

_HEAD = 65_536  # bytes of the first line and the headers of a request
_SIP = memoryview(bytearray(8_192))  # all share it: what comes is copied at once


class Sips(asyncio.BufferedProtocol):
    """Reads only so much at a time.

    asyncio reads up to 256 KiB. Of short messages these are thousands, and parsing them would hold up everybody else
    for a tenth of a second.
    """

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _SIP

    def buffer_updated(self, nbytes: int) -> None:
        """So many have come."""
        self.data_received(bytes(_SIP[:nbytes]))

    def eof_received(self) -> None:
        """Whoever sends no more may still read."""

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        super().data_received(data)  # type: ignore[misc]


def protocol(seconds: float) -> type[HttpToolsProtocol]:
    """The HTTP of a server that waits only ``seconds`` for the head of a request, and reads only so much of it."""

    class Hurried(Sips, HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._hurry()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._hurry()

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self._stop()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._timer is not None:  # the head is not complete yet
                self._head += len(data)
                if self._head > _HEAD:
                    self._stop()
                    self.transport.abort()

        def _hurry(self) -> None:
            self._stop()
            self._timer = self.loop.call_later(seconds, self.transport.abort)

        def _stop(self) -> None:
            self._head = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Hurried
