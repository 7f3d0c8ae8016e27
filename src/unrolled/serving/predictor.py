"""Predictions beside the sessions: a short queue, and the process that does the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from unrolled.serving.catalogue import Catalogue
from unrolled.serving.guard import read_body
from unrolled.serving.predict_process import LENGTH, Answered, Asked, head_of
from unrolled.serving.refusals import Refused
from unrolled.serving.serve_options import ServeOptions
from unrolled.serving.served import Served

__all__ = ["Predictor", "Work", "launch"]

_PIECE = 1 << 16  # bytes that are moved before others get their turn
_decoder = msgspec.json.Decoder(Answered)


class Work(NamedTuple):
    """What is to be done with the body of a request; its fields are those of `Asked`."""

    work: str
    path: str
    media: str
    settings: dict[str, str]


class Predictor:
    """Has requests answered by the process that predicts, one after the other.

    Args:
        options: of the server.
        models: those that are served.

    Attributes:
        waiting: the requests that wait for an answer.
    """

    def __init__(self, options: ServeOptions, models: Catalogue) -> None:
        self._options, self._models = options, models
        self.waiting = 0
        self._held = 0  # bytes of bodies
        self._turn = asyncio.Lock()
        self._process: _Process | None = None
        self._closed = False

    async def answer(self, model: Served, work: Work, request: Request) -> Response:
        """The answer to a request.

        Raises:
            Refused: too much waits already, the answer did not come in time, or the process has ended.
        """
        self._check()  # before anything is read
        seconds, most, body = self._options.predict_deadline, self._options.predict_body, list[bytes]()

        def keep(piece: bytes) -> None:
            body.append(piece)
            self._held += len(piece)
            if self._held > self._options.predict_waiting * most:
                raise Refused("Overloaded", f"the tables that wait have {self._held:,} bytes already: try again later")

        try:
            await read_body(request, most, seconds, keep)
            self._check()
            return await self._in_time(model, work, body)
        finally:
            self._held -= sum(map(len, body))

    async def stop(self, seconds: float = 0.0) -> None:
        """Refuse what waits, let what runs go on for at most some seconds, and end the process."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._turn:
                pass
        if self._process is not None:
            await self._process.end()

    def close(self) -> None:
        """Begin nothing further."""
        self._closed = True

    def _check(self) -> None:
        self._check_open()
        if self.waiting >= (most := self._options.predict_waiting):
            raise Refused("Overloaded", f"{most} requests for predictions wait already: try again later")

    def _check_open(self) -> None:
        if self._closed:
            raise Refused("Draining", "the server is about to end: try again")

    async def _in_time(self, model: Served, work: Work, body: Sequence[bytes]) -> Response:
        seconds = self._options.predict_deadline
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds), self._turn:
                return await self._ask(model, work, body)
        except TimeoutError:
            late = f"the predictions were not made within {seconds:g} seconds, the wait for other requests included"
            raise Refused("Expired", late) from None
        finally:
            self.waiting -= 1

    async def _ask(self, model: Served, work: Work, body: Sequence[bytes]) -> Response:
        self._check_open()
        if self._process is not None and self._process.ended:
            await self._process.end()
            self._process = None
        if self._process is None:
            self._process = await _Process.start()
        process = self._process
        try:
            return await process.ask(model, work, body, {one.identity for one in self._models.now.values()})
        except (OSError, EOFError):
            process.kill()
            again = "the process that predicts has ended: try again, with a smaller table if it ends at this one"
            raise Refused("Overloaded", again) from None
        except BaseException:  # such as too late an answer, which nobody would read
            process.kill()
            raise


class Started(Protocol):
    """A process that was started, such as `subprocess.Popen`."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait until it has ended."""


def launch(end: socket.socket) -> Started:
    """Start the process that predicts for whoever has the other end of a socket."""
    program = [sys.executable, "-P", "-m", "unrolled.serving.predict_process", str(end.fileno())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    return subprocess.Popen(  # it prints nothing; what others print goes where the log does
        program, env=environment, pass_fds=[end.fileno()], stdin=subprocess.DEVNULL, stdout=2
    )


class _Process:
    """The process that predicts, as the server sees it.

    Args:
        started: the process.
        reader, writer: what it says, and what is said to it.
    """

    def __init__(self, started: Started, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._started, self._reader, self._writer = started, reader, writer
        self._opened = set[str]()  # fingerprints of the models that it holds
        self._killed = False

    @classmethod
    async def start(cls) -> _Process:
        ours, theirs = socket.socketpair()
        with theirs:
            started = launch(theirs)
        return cls(started, *await asyncio.open_unix_connection(sock=ours, limit=_PIECE))

    @property
    def ended(self) -> bool:
        return self._killed or self._reader.at_eof()

    def kill(self) -> None:
        self._killed = True
        self._writer.close()
        self._started.kill()

    async def end(self) -> None:
        self.kill()
        await asyncio.to_thread(self._started.wait)

    async def ask(self, model: Served, work: Work, body: Sequence[bytes], served: set[str]) -> Response:
        """The answer to a request; ``served`` are the fingerprints of the models that others may ask for."""
        drop, size = self._opened - served - {model.identity}, sum(map(len, body))
        with contextlib.ExitStack() as stack:
            folder = None
            if model.identity not in self._opened:  # as it is here: its folder may hold newer weights, or be damaged
                made = tempfile.TemporaryDirectory(prefix="unrolled-", ignore_cleanup_errors=True)
                folder = Path(stack.enter_context(made)) / "run"
                await asyncio.to_thread(model.trained.save, folder)
            asked = Asked(*work, model.identity, None if folder is None else str(folder), sorted(drop), size)
            for piece in (head_of(asked), *body):
                self._writer.write(piece)
                await self._writer.drain()
            length = int.from_bytes(await self._reader.readexactly(LENGTH))
            answered = _decoder.decode(await self._reader.readexactly(length))
        self._opened = self._opened - drop | {model.identity}
        pieces, left = list[bytes](), answered.size
        while left:
            if not (piece := await self._reader.read(min(left, _PIECE))):
                raise EOFError
            pieces.append(piece)
            left -= len(piece)
        headers = {"content-length": str(answered.size)}
        return StreamingResponse(_each(pieces), answered.status, headers, answered.media)


async def _each(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The pieces of an answer; one of many megabytes at once would hold up everything else."""
    for piece in pieces:
        yield piece
