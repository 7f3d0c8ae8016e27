"""The asynchronous client: what `unrolled.client.blocking` has, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any

from unrolled.client.blocking import Client
from unrolled.client.frames import Frames
from unrolled.client.links import AsyncLink, Server
from unrolled.client.numbered import Numbered
from unrolled.client.patience import Patience
from unrolled.client.requests import Requests
from unrolled.errors import UnrolledError

__all__ = ["AsyncClient", "AsyncManySessions", "AsyncSession"]


class AsyncClient:
    """A server, as calls to be awaited.

    A push that is cancelled counts as pushed: the server may have taken its step, so it goes first at the next push.

    Args:
        url, token, timeout, patience: as for `Client`.

    Example:
        async with AsyncClient("http://127.0.0.1:8080").session() as live:
            print(await live.push({"load": 12.5, "temperature": 3.0}))
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0, patience: float = 60.0) -> None:
        self._server, self._patience = Server(url, token, timeout), patience
        self._blocking = Client(url, token, timeout=timeout, patience=patience)
        self._requests = Requests(self._server, patience)

    def session(self, id: str | None = None, *, model: str | None = None) -> AsyncSession:  # noqa: A002
        """A live session; see `Client.session`."""
        return AsyncSession(self._server, self._requests, Numbered(id, model, Patience(self._patience)))

    def many(self) -> AsyncManySessions:
        """Many live sessions over one connection; see `Client.many`."""
        return AsyncManySessions(self._server, self._requests, Frames(Patience(self._patience)))

    async def predict(self, rows: Iterable[Any], *, model: str | None = None) -> list[dict[str, Any]]:
        """Answer whole rows; see `Client.predict`."""
        return await asyncio.to_thread(self._blocking.predict, rows, model=model)

    async def generate(self, prompt: str = "", **options: Any) -> AsyncIterator[str]:
        """The text after ``prompt``, piece by piece; see `Client.generate`."""
        pieces = self._blocking.generate(prompt, **options)
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            pieces.close()

    async def describe(self, model: str | None = None) -> dict[str, Any]:
        """What a model reads and answers."""
        return await asyncio.to_thread(self._blocking.describe, model)


class AsyncSession:
    """One live session on a server; see `RemoteSession`. Its pushes are awaited one after the other."""

    def __init__(self, server: Server, requests: Requests, steps: Numbered) -> None:
        self._link, self._requests, self._steps = AsyncLink(server), requests, steps

    @property
    def id(self) -> str | None:
        """What the server calls it."""
        return self._steps.id

    @property
    def n(self) -> int:
        """How many steps it has taken."""
        return self._steps.n

    @property
    def hello(self) -> dict[str, Any]:
        """What the server said when it was last connected."""
        return self._steps.hello

    async def push(self, value: Any) -> dict[str, Any]:
        """Push one row and return the answer; see `RemoteSession.push`."""
        (answer,) = await self.push_many([value])
        if isinstance(answer, UnrolledError):
            raise answer
        return answer

    async def push_many(self, values: Iterable[Any]) -> list[dict[str, Any] | UnrolledError]:
        """Push rows, many in a message; see `RemoteSession.push_many`."""
        answers: list[dict[str, Any] | UnrolledError] = await self._link.run(self._steps.pushing(values))
        return answers

    async def snapshot(self) -> bytes:
        """Its state, as `Session.snapshot` gives it."""
        await self._link.run(self._steps.connecting())
        return await asyncio.to_thread(self._requests.state, "GET", f"/v1/sessions/{self.id}/snapshot")

    async def end(self) -> None:
        """End the session for good: the server forgets it."""
        await self.close()
        if self.id is not None:
            await asyncio.to_thread(self._requests.json, "DELETE", f"/v1/sessions/{self.id}")

    async def close(self) -> None:
        """Close the connection; the session can be gone on with."""
        await self._link.close()
        self._steps.disconnected()

    async def __aenter__(self) -> AsyncSession:
        await self._link.run(self._steps.connecting())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


class AsyncManySessions:
    """Many live sessions over one connection; see `ManySessions`."""

    def __init__(self, server: Server, requests: Requests, frames: Frames) -> None:
        self._link, self._requests, self._frames = AsyncLink(server), requests, frames

    async def open(self, *, model: str | None = None) -> str:
        """A new session; its id."""
        told = await asyncio.to_thread(self._requests.json, "POST", "/v1/sessions", model=model)
        self._frames.n[told["session"]] = told["n"]
        return str(told["session"])

    async def push(self, steps: Iterable[tuple[str, Any]]) -> list[dict[str, Any] | UnrolledError]:
        """Push (session, value) pairs; see `ManySessions.push`."""
        answers: list[dict[str, Any] | UnrolledError] = await self._link.run(self._frames.pushing(steps))
        return answers

    async def end(self, session: str) -> None:
        """End a session for good."""
        self._frames.forget(session)
        await asyncio.to_thread(self._requests.json, "DELETE", f"/v1/sessions/{session}")

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()
        self._frames.disconnected()

    def __len__(self) -> int:
        return len(self._frames.n)

    async def __aenter__(self) -> AsyncManySessions:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()
