"""Live sessions over WebSockets: one a connection, or many in each message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from unrolled.errors import UnrolledError
from unrolled.serving.direct import link_of
from unrolled.serving.guard import PROTOCOL, refusal
from unrolled.serving.live_session import LiveSession
from unrolled.serving.messages import encoded, read_step, read_steps
from unrolled.serving.refusals import Refused, about
from unrolled.serving.service import Service
from unrolled.serving.sessions import RESTART
from unrolled.serving.waiting import Item

__all__ = ["close_all", "live", "many"]

_GONE, _TAKEN_OVER = 4404, 4409  # codes with which a connection is closed for good


async def live(socket: WebSocket) -> None:
    """``GET /v1/live?session=ID`` or ``?model=NAME``: one session. The server speaks first.

    A closed connection leaves its session as it is, for whoever connects with its id. A new connection to the same
    session takes it over from an older one.
    """
    service: Service = socket.app.state.service
    async with _connected(socket, service) as accepted:
        if not accepted:
            return
        try:
            session = await _session(service, socket)
        except UnrolledError as error:
            await _send(socket, {"error": about(error)})
            await socket.close(_GONE, "no such session")
            return
        before, session.socket = session.socket, socket
        if isinstance(before, WebSocket):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await before.close(_TAKEN_OVER, "another connection has taken over this session")
        try:
            await _send(socket, _hello(service, session))
            await _serve(socket, _OfOne(service, socket, session))
        finally:
            if session.socket is socket:
                session.socket = None


async def many(socket: WebSocket) -> None:
    """``GET /v1/live/many``: messages are lists of [session, n, value], and so are the answers."""
    service: Service = socket.app.state.service
    async with _connected(socket, service) as accepted:
        if accepted:
            await _serve(socket, _OfMany(service, socket))


async def close_all(service: Service, seconds: float) -> None:
    """Say to every client that the server is about to end, and close its connection; for at most so long."""

    async def close(socket: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await _send(socket, {"closing": "restart", "retry_after_s": 1})
            await socket.close(RESTART, "restart")

    tasks = [asyncio.create_task(close(socket)) for socket in service.sockets]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()


def answer_of(service: Service, session: LiveSession, item: Item, *, several: bool) -> dict[str, Any]:
    """The answer to a message of one session.

    Args:
        service: the server.
        session: whose steps they were.
        item: its steps.
        several: whether they came as a list.
    """
    told: dict[str, Any] = {"n": item.number}
    if several:
        told["ys"] = item.answers
    elif item.answers:
        told["y"] = item.answers[0]
    if item.error is not None:
        told["error"] = about(item.error)
    if service.store.durable:
        told["saved_n"] = session.saved_n
    return told


@contextlib.asynccontextmanager
async def _connected(socket: WebSocket, service: Service) -> AsyncIterator[bool]:
    if len(service.sockets) >= service.options.sockets:
        full = Refused("Overloaded", f"there are {service.options.sockets} connections already: try again later")
    elif service.draining:
        full = Refused("Draining", "the server is about to end: try again")
    else:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        service.sockets.add(socket)
        try:
            yield True
        except (WebSocketDisconnect, RuntimeError):  # starlette: a message to a connection that was closed
            pass
        finally:
            service.sockets.discard(socket)
        return
    await socket.send_denial_response(refusal(full))
    yield False


async def _session(service: Service, socket: WebSocket) -> LiveSession:
    asked = socket.query_params
    if (id_ := asked.get("session")) is not None:
        return await service.sessions.find(id_)
    return await service.open(asked.get("model"))


def _hello(service: Service, session: LiveSession) -> dict[str, Any]:
    options = service.options
    return {
        "session": session.id,
        "n": session.n,
        "last": session.last[-1] if session.last else None,
        "model": session.model.name,
        "restored": session.restored,
        "limits": {
            "frame": options.frame,
            "message_steps": options.message_steps,
            "deadline_s": options.deadline,
        },
        **({"saved_n": session.saved_n} if service.store.durable else {}),
    }


async def _serve(socket: WebSocket, messages: _Messages) -> None:
    """Answer one message after the other, until the connection ends."""
    link_of(socket.scope).begin(messages.take)
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


class _Messages:
    """What is done with the messages of a connection.

    Args:
        service: the server.
        socket: the connection.
    """

    def __init__(self, service: Service, socket: WebSocket) -> None:
        self.service, self._link = service, link_of(socket.scope)

    def take(self, text: str | bytes) -> None:
        """Answer a message, now or when its steps are taken."""
        if self.service.draining:  # the client repeats it elsewhere: steps are numbered
            self._link.say(None)
            return
        self.service.busy.add(self._link)
        try:
            self.read(text)
        except UnrolledError as error:
            self.say({"error": about(error)})

    def read(self, text: str | bytes) -> None:
        """Let the steps of a message wait; `say` is called when they are answered.

        Raises:
            Refused: it is no such message.
        """
        raise NotImplementedError

    def say(self, told: Any) -> None:
        """Answer the message; ``None``: leave it without an answer."""
        self.service.busy.discard(self._link)
        self._link.say(None if told is None else encoded(told))


class _OfOne(_Messages):
    """The messages of one session."""

    def __init__(self, service: Service, socket: WebSocket, session: LiveSession) -> None:
        super().__init__(service, socket)
        self._session = session
        self._item: Item | None = None
        self._several = False

    def read(self, text: str | bytes) -> None:
        options = self.service.options
        step = read_step(text, steps=options.message_steps, depth=options.depth)
        self._several = step.several
        try:
            self._item = self.service.submit(self._session, step.n, step.values, self._answered)
        except Refused as refused:
            self.say(None if refused.kind == "Draining" else {"n": step.n, "error": about(refused)})

    def _answered(self) -> None:
        item, self._item = self._item, None
        assert item is not None
        left = isinstance(item.error, Refused) and item.error.kind == "Draining" and not item.answers
        self.say(None if left else answer_of(self.service, self._session, item, several=self._several))


class _OfMany(_Messages):
    """Messages of many sessions each."""

    def __init__(self, service: Service, socket: WebSocket) -> None:
        super().__init__(service, socket)
        self._task: asyncio.Task[None] | None = None

    def read(self, text: str | bytes) -> None:
        options = self.service.options
        asked = read_steps(text, steps=options.steps, depth=options.depth)
        self._task = asyncio.create_task(self._take_all(asked))

    async def _take_all(self, asked: Sequence[tuple[str, int | None, Any]]) -> None:
        self.say(await self.service.steps(asked))


async def _send(socket: WebSocket, told: Any) -> None:
    await socket.send({"type": "websocket.send", "text": encoded(told).decode()})
